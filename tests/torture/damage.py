"""The corpus: everything that is known to happen to a CSV on its way, each kind once.

A kind damages a small clean delivery in a folder and says what must become of the damaged file.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pickle
import socket
import sqlite3
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import duckdb

from tests.delivery import CATEGORY_TRANSLATION, FILES, NAMES, header_of, plus, with_records

BOM = b"\xef\xbb\xbf"
Make = Callable[[Path], None]


@dataclass(frozen=True)
class Refused:
    """Nothing of the file may load, for one of these reasons."""

    error_types: tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """What must be said of one bad record; a missing column in `column` means any."""

    line: int
    error_types: tuple[str, ...]
    columns: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Bad:
    """So many records are bad and all others load; `faults` tells them, where they are few."""

    records: int
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Fine:
    """Every record loads, exactly as it is written."""

    records: int | None = None


@dataclass(frozen=True)
class Missing:
    """No file is seen, which is said."""


@dataclass(frozen=True)
class OneOf:
    """Both are honest; which one is a matter of taste."""

    choices: tuple[Refused | Bad | Fine, ...]


Expect = Refused | Bad | Fine | Missing | OneOf


@dataclass(frozen=True)
class Damage:
    """One kind of damage: the file it is done to, how, and what must come of it."""

    name: str
    source: str
    make: Make
    expect: Expect
    file: str = ""  # its name in the folder, where it is not the base file
    max_bad_share: float = 1.0

    @property
    def file_name(self) -> str:
        """The name of the damaged file in the folder."""
        return self.file or NAMES[self.source]


# --- how kinds are written down ---

A, B, C = b"aaaa,01310,sao paulo,SP", b"bbbb,14409,franca,SP", b"cccc,69900,rio branco,AC"
HEADER = header_of("sellers")
PLAIN_HEADER = HEADER.replace(b'"', b"").strip()
UNENDED = ("unended_record",)
STRAY = ("stray_quote", "unquoted_value")
TOO_FEW = ("missing_columns",)
TOO_MANY = ("too_many_columns",)
ENCODING = ("invalid_encoding", "not_utf8", "bad_encoding")
LINE_ENDS = ("line_ends", "unreadable_csv", "mixed_line_ends")
OPEN = ("open_quote",)
NO_HEADER = ("schema_mismatch",)


def _write(file: str, data: bytes) -> Make:
    def make(folder: Path) -> None:
        (folder / file).write_bytes(data)

    return make


def _kind(name: str, source: str, data: bytes, expect: Expect) -> Damage:
    return Damage(name, source, _write(NAMES[source], data), expect)


def _sellers(name: str, expect: Expect, *records: bytes) -> Damage:
    """Return a file of sellers with these records."""
    return _kind(name, "sellers", with_records("sellers", *records), expect)


def _one(types: tuple[str, ...], *columns: str | None, line: int = 3) -> Bad:
    return Bad(1, (Fault(line, types, columns),))


def _text(name: str, text: bytes, expect: Expect | None = None) -> Damage:
    """Put a text, as it stands in the file, in the place of a city between two good records."""
    return _sellers(name, expect or Fine(3), A, b"bbbb,14409," + text + b",SP", C)


def many_sellers(count: int) -> list[bytes]:
    """Return so many good records of sellers."""
    return [b"seller%06d,%05d,cidade %d,SP" % (number, number % 100_000, number) for number in range(count)]


# --- headers ---


def _headers() -> Iterable[Damage]:
    names = PLAIN_HEADER.split(b",")
    records = b"".join(record + b"\n" for record in (A, B, C))

    def header(name: str, line: bytes, expect: Expect = Refused(NO_HEADER)) -> Damage:
        return _kind(f"header {name}", "sellers", line + b"\n" + records, expect)

    def join(*parts: bytes) -> bytes:
        return b",".join(parts)

    yield header("reordered", join(names[0], names[2], names[1], names[3]))
    yield header("renamed", PLAIN_HEADER.replace(b"seller_city", b"city"))
    yield header("with a column twice", join(names[0], names[1], names[2], names[2]))
    yield header("with a column missing", join(*names[:3]))
    yield header("with a column more", join(*names, b"note"))
    yield header("with an unnamed column more", join(*names, b""))
    yield header("with an index column first", join(b"", *names))
    yield header("in upper case", PLAIN_HEADER.upper())
    yield header("with blanks around names", b", ".join(names))
    yield header("with blanks around quoted names", b'"' + b'", "'.join(names) + b'"')
    yield header("with a blank at its end", PLAIN_HEADER + b" ")
    yield header("with a no-break space", PLAIN_HEADER + b"\xc2\xa0")
    yield header("with a zero-width space", PLAIN_HEADER.replace(b"_city", b"\xe2\x80\x8b_city"))
    yield header("with a Cyrillic letter", PLAIN_HEADER.replace(b"_city", "_\u0441ity".encode()))
    yield header("in single quotes", b"'" + b"','".join(names) + b"'")
    yield header("with a line end in a name", b'"seller\n_id",' + join(*names[1:]))
    yield header("as a comment", b"#" + PLAIN_HEADER)
    yield header("under a title", b"Sellers of 2018\n" + PLAIN_HEADER)
    yield header("under a blank line", b"\n" + PLAIN_HEADER)
    yield header("under sep=", b"sep=,\n" + PLAIN_HEADER)
    yield header("under a comment", b"# exported 2018-09-01\n" + PLAIN_HEADER)
    yield header("of another source", header_of("customers").strip())
    yield header("in Latin-1", PLAIN_HEADER.replace(b"city", "cit\xe9".encode("latin-1")))
    yield header("with a NUL", PLAIN_HEADER.replace(b"city", b"ci\0ty"), Refused(("nul_bytes",)))
    yield header("after two marks", BOM + BOM + PLAIN_HEADER)
    yield header("unquoted", PLAIN_HEADER, Fine(3))
    yield header("quoted after a mark", BOM + HEADER.strip(), Fine(3))
    yield header("partly quoted", b'"seller_id",' + join(*names[1:]), Fine(3))
    yield header("twice at the top", PLAIN_HEADER + b"\n" + PLAIN_HEADER, _one(("repeated_header",), line=2))
    yield _kind("header missing", "sellers", records, Refused(NO_HEADER))
    yield _kind("header alone", "sellers", HEADER, Fine(0))
    yield _kind("header alone without line end", "sellers", HEADER.strip(), OneOf((Fine(0), Refused(NO_HEADER))))
    yield _kind("header of two columns in one quote", "sellers", b'"seller_id,x"\n' + records, Refused(NO_HEADER))
    yield _kind(
        "header again in the middle",
        "sellers",
        HEADER + A + b"\n" + HEADER + B + b"\n",
        _one(("repeated_header",)),
    )
    yield _kind(
        "header again after a mark",
        "sellers",
        HEADER + A + b"\n" + BOM + HEADER + B + b"\n",
        _one(("bad_zip", "stray_quote", "unquoted_value", "repeated_header"), "seller_zip_code_prefix", None),
    )


# --- nothing, and what is no CSV at all ---


def _parquet() -> bytes:
    return _by_duckdb("x.parquet", "copy (select 1 as seller_id) to '{}' (format parquet)")


def _duckdb_file() -> bytes:
    return _by_duckdb("x.duckdb", "attach '{}' as x; create table x.t as select 1 as a; detach x")


def _by_duckdb(name: str, sql: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.execute(sql.format(Path(folder) / name))
        return (Path(folder) / name).read_bytes()


def _sqlite() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table sellers (seller_id text)")
    data = connection.serialize()
    connection.close()
    return data


def _zip(*names: str) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, FILES["sellers"])
    return out.getvalue()


def _tar() -> bytes:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("sellers.csv")
        entry.size = len(FILES["sellers"])
        archive.addfile(entry, BytesIO(FILES["sellers"]))
    return out.getvalue()


def _foreign() -> Iterable[Damage]:
    csv, no_csv = FILES["sellers"], ("not_csv", "nul_bytes", "schema_mismatch", "delimiter", "open_quote", "line_ends")

    def file(name: str, data: bytes, *types: str) -> Damage:
        return _kind(name, "sellers", data, Refused(types or no_csv))

    yield file("empty", b"", "empty")
    yield file("blanks and line ends alone", b" \t\r\n \n\n", "empty")
    yield file("a mark alone", BOM, "empty", "schema_mismatch")
    yield file("commas alone", b",,,\n" * 3, "schema_mismatch")
    yield file("NUL bytes alone, as after a power cut", b"\0" * 8192)
    yield file("NUL bytes at the end, as after a power cut", csv + b"\0" * 512, "nul_bytes")
    yield file("gzip", gzip.compress(csv, mtime=0), "not_csv")
    yield file("zip", _zip("sellers.csv"), "not_csv")
    yield file("bzip2", bz2.compress(csv), "not_csv")
    yield file("xz", lzma.compress(csv), "not_csv")
    yield file("zstd", b"\x28\xb5\x2f\xfd\x04\x00" + csv, "not_csv")
    yield file("LZ4", b"\x04\x22\x4d\x18\x64\x40\xa7" + csv)
    yield file("7z", b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(range(256)))
    yield file("tar", _tar())
    yield file("xlsx", _zip("[Content_Types].xml", "xl/workbook.xml"), "not_csv")
    yield file("xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), "not_csv")
    yield file("Parquet", _parquet(), "not_csv")
    yield file("Arrow", b"ARROW1\0\0" + bytes(range(64)))
    yield file("DuckDB file", _duckdb_file())
    yield file("SQLite", _sqlite(), "not_csv")
    yield file("pickle", pickle.dumps({"seller_id": ["a"]}))
    yield file("PDF", b"%PDF-1.4\n1 0 obj\n", "not_csv")
    yield file("HTML", b"<!DOCTYPE html>\n<html><body>404</body></html>\n", "not_csv")
    yield file("HTML after blank lines", b"\n\n  <html><body>Please log in</body></html>\n")
    yield file("HTML comment", b"<!-- proxy --><html>\n")
    yield file("XML", b'<?xml version="1.0"?>\n<sellers/>\n')
    yield file("JSON", b'[{"seller_id": "a", "seller_city": "x"}]\n')
    yield file("JSON lines", b'{"seller_id":"a","seller_city":"x"}\n' * 2)
    yield file("Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    yield file("SQL dump", b"insert into sellers values ('a', '01310', 'x', 'SP');\n" * 2)
    yield file("a message of the server", b"Error 500, try again, later, please\n", "schema_mismatch")
    yield file("random bytes", bytes((number * 197 + number // 7) % 251 + 5 for number in range(5000)))
    yield file("little-endian numbers", struct.pack("<500i", *range(500)))
    yield file("separated by semicolons", csv.replace(b",", b";"), "delimiter")
    yield file("separated by tabs", csv.replace(b",", b"\t"), "delimiter")
    yield file("separated by pipes", csv.replace(b",", b"|"), "delimiter")
    yield file("separated by the unit separator", csv.replace(b",", b"\x1f"))


# --- encodings ---


def _encodings() -> Iterable[Damage]:
    text = with_records("sellers", A, "bbbb,14409,s\u00e3o jos\u00e9 \u201cx\u201d,SP".encode(), C).decode()
    not_utf8, no_csv = _one(ENCODING, "seller_city", None), ("not_csv", "nul_bytes", "schema_mismatch", "empty")

    def whole(name: str, data: bytes, expect: Expect = Refused(no_csv)) -> Damage:
        return _kind(name, "sellers", data, expect)

    yield whole("Latin-1", text.replace("\u201c", "").replace("\u201d", "").encode("latin-1"), not_utf8)
    yield whole("Windows-1252", text.encode("cp1252"), not_utf8)
    yield whole("Mac Roman", text.encode("mac_roman"), not_utf8)
    yield whole("UTF-16 LE with mark", b"\xff\xfe" + text.encode("utf-16-le"))
    yield whole("UTF-16 BE with mark", b"\xfe\xff" + text.encode("utf-16-be"))
    yield whole("UTF-16 LE", text.encode("utf-16-le"))
    yield whole("UTF-16 BE", text.encode("utf-16-be"))
    yield whole("UTF-32 LE with mark", b"\xff\xfe\0\0" + text.encode("utf-32-le"))
    yield whole("UTF-32 BE with mark", b"\0\0\xfe\xff" + text.encode("utf-32-be"))
    yield whole("UTF-32 LE", text.encode("utf-32-le"))
    yield whole("EBCDIC", text.encode("cp500", "replace"), Refused((*no_csv, "line_ends", "open_quote")))
    yield whole(
        "Shift JIS", text.replace("s\u00e3o jos\u00e9 \u201cx\u201d", "\u6771\u4eac").encode("shift_jis"), not_utf8
    )
    yield whole("UTF-7, which is text to anybody", with_records("sellers", A, b"bbbb,14409,s+AOM-o,SP"), Fine(2))
    yield whole("UTF-8 twice, which is text to anybody", text.encode().decode("latin-1").encode(), Fine(3))
    yield whole("a mark before CRLF", BOM + with_records("sellers", A, B).replace(b"\n", b"\r\n"), Fine(2))
    for name, wild in {
        "a Latin-1 byte": b"S\xe3o",
        "a byte that never begins anything": b"\x80",
        "0xFF": b"\xff",
        "an overlong slash": b"\xc0\xaf",
        "an overlong of three bytes": b"\xe0\x80\xaf",
        "a modified NUL": b"\xc0\x80",
        "a surrogate": b"\xed\xa0\x80",
        "a pair of surrogates (CESU-8)": b"\xed\xa0\xbc\xed\xbe\x89",
        "five bytes": b"\xf8\x88\x80\x80\x80",
        "a character beyond the last": b"\xf4\x90\x80\x80",
        "a sequence that the delimiter cuts": b"S\xc3",
        "an emoji without its last byte": b"\xf0\x9f\x8e",
    }.items():
        yield _text(f"not UTF-8: {name}", wild, not_utf8)
        if name == "0xFF":
            yield _text("not UTF-8: in quotes", b'"a, ' + wild + b'"', not_utf8)


# --- line ends and blank lines ---


def _line_ends() -> Iterable[Damage]:
    lf = with_records("sellers", A, B, C)
    crlf = lf.replace(b"\n", b"\r\n")
    mixed = Refused(LINE_ENDS)

    def file(name: str, data: bytes, expect: Expect) -> Damage:
        return _kind(name, "sellers", data, expect)

    yield file("CRLF", crlf, Fine(3))
    yield file("CR alone", lf.replace(b"\n", b"\r"), Refused((*LINE_ENDS, "schema_mismatch")))
    yield file("CR alone after the header", HEADER + b"\r".join([A, B, C, b""]), mixed)
    yield file("CRCRLF", lf.replace(b"\n", b"\r\r\n"), mixed)
    yield file("LFCR", lf.replace(b"\n", b"\n\r"), mixed)
    yield file("one CRLF among LF", HEADER + A + b"\r\n" + B + b"\n", mixed)
    yield file("one LF among CRLF", crlf + A + b"\n" + B + b"\r\n", mixed)
    yield file("CRLF header, LF records", HEADER.strip() + b"\r\n" + A + b"\n" + B + b"\n", mixed)
    yield file("a CR between two records", HEADER + A + b"\r" + B + b"\n" + C + b"\n", mixed)
    yield file("a CR in an unquoted field", HEADER + b"aaaa,01310,sao\rpaulo,SP\n" + B + b"\n", mixed)
    # DuckDB takes a CR after an empty field for a line end, so that it sees a record more than there are lines.
    for title, cell in {"an empty field": b"", "an empty quoted field": b'""'}.items():
        records = b"bbbb,1,franca," + cell + b"\rcccc,01310,x,SP\n"
        yield file(f"a CR after {title} between two good records", HEADER + records.replace(b",1,", b",14409,"), mixed)
        yield file(f"a CR after {title} between a bad and a good record", HEADER + records, mixed)
        yield file(f"a CR after {title} at the end of a CRLF file", crlf + records.replace(b"\n", b"\r\n"), mixed)
    yield file("a CR before a comma", HEADER + b"aaaa,01310,sao paulo\r,SP\n" + B + b"\n", mixed)
    yield file("a CR at the very end", lf + b"\r", mixed)
    yield file("blank lines at the end", lf + b"\n\n\n", Fine(3))
    yield file("blank CRLF lines at the end", crlf + b"\r\n\r\n", Fine(3))
    yield file("blank lines in the middle", HEADER + A + b"\n\n\n" + B + b"\n\n" + C + b"\n", Fine(3))
    yield file("blank CRLF lines in the middle", crlf + b"\r\n\r\n" + A + b"\r\n", Fine(4))
    yield file("a blank line under the header", HEADER + b"\n" + A + b"\n", Fine(1))
    yield file("a blank LF line among CRLF", crlf + b"\n" + A + b"\r\n", OneOf((mixed, Fine(4))))
    yield file("a blank CRLF line among LF", lf + b"\r\n" + A + b"\n", OneOf((mixed, Fine(4))))
    yield file("a line of blanks", HEADER + A + b"\n   \n" + C + b"\n", _one(TOO_FEW))
    yield file("a line of blanks at the end", lf + b"  \n", _one(TOO_FEW, line=5))
    yield file("a line of tabs", HEADER + A + b"\n\t\t\n" + C + b"\n", _one(TOO_FEW))
    yield file("a line of two quotes", HEADER + A + b'\n""\n' + C + b"\n", _one(TOO_FEW))
    yield file("Ctrl-Z at the end, as DOS wrote it", lf + b"\x1a", Bad(1, (Fault(5, (*UNENDED, *TOO_FEW)),)))
    for name, end in {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r", "VT": b"\x0b", "FF": b"\x0c"}.items():
        yield _text(f"{name} inside quotes", b'"sao' + end + b'paulo"')
    for name, char in {"NEL": "\x85", "U+2028": "\u2028", "FF": "\x0c", "VT": "\x0b"}.items():
        yield _text(f"{name} in an unquoted field", f"sao{char}paulo".encode())


# --- commas and quotes ---


def _commas() -> Iterable[Damage]:
    few, many = _one(TOO_FEW), _one(TOO_MANY)
    yield _sellers("a comma at the end of one record", many, A, B + b",", C)
    yield _sellers("an empty quoted field too many", many, A, B + b',""', C)
    yield _sellers("two fields too many", many, A, B + b",x,y", C)
    yield _sellers("an unquoted comma in a text", many, A, b"bbbb,14409,sao paulo, centro,SP", C)
    yield _sellers("a comma doubled", many, A, B.replace(b",", b",,", 1), C)
    yield _sellers("a comma at the start", many, A, b"," + B, C)
    yield _sellers("two records on one line", many, A, B + b"," + B, C)
    yield _sellers("two records on one line without a comma", many, A, B + B, C)
    yield _sellers("a comma missing", few, A, b"bbbb,14409,francaSP", C)
    yield _sellers("all commas missing", few, A, B.replace(b",", b" "), C)
    yield _sellers("one field alone", few, A, b"bbbb", C)
    yield _sellers("a comment line", few, A, b"# a comment", C)
    yield _sellers("a separator line", few, A, b"-" * 40, C)
    yield _sellers("a total at the end", few, A, b"Total: 2")
    yield _sellers("semicolons in one record", few, A, B.replace(b",", b";"), C)
    yield _sellers(
        "only commas", Bad(1, (Fault(3, ("missing_value",), ("seller_id", "seller_zip_code_prefix")),)), A, b",,,", C
    )
    yield _sellers("a comma after every record", Bad(3), A + b",", B + b",", C + b",")
    yield _kind(
        "a comma after every line",
        "sellers",
        HEADER.strip() + b",\n" + b"".join(r + b",\n" for r in (A, B)),
        Refused(NO_HEADER),
    )
    yield _sellers(
        "commas broken over a line", Bad(2, (Fault(3, TOO_FEW), Fault(4, TOO_FEW))), A, b"bbbb,14409,", b"franca,SP", C
    )


def _quotes() -> Iterable[Damage]:
    stray, open_quote = _one(STRAY), Refused(OPEN)
    as_text_or_not = OneOf((Fine(3), _one(STRAY), Refused(("stray_quote", "open_quote"))))
    unsure = OneOf((Refused(("open_quote", "stray_quote", "count_mismatch")), _one(STRAY)))
    yield _sellers("a quote open in the first record", open_quote, b'"' + A, B, C)
    yield _sellers("a quote open in the middle", open_quote, A, b'bbbb,14409,"franca,SP', C)
    yield _sellers("a quote open in the last record", open_quote, A, B, b'cccc,69900,"rio branco,AC')
    yield _sellers("a quote open in the last field", open_quote, A, B, b'cccc,69900,rio branco,"AC')
    yield _sellers("a quote that swallows 300 records", open_quote, A, b'"bbbb,14409,x,SP', *many_sellers(300))
    yield _kind(
        "a quote open in the header",
        "sellers",
        HEADER.replace(b'r_state"', b"r_state") + A + b"\n",
        Refused((*OPEN, *NO_HEADER)),
    )
    yield _kind("a lone quote at the end", "sellers", with_records("sellers", A, B) + b'"', open_quote)
    yield _text("quotes: blank after the closing one", b'"franca" ', _one(("stray_quote",)))
    yield _text("quotes: blank before the opening one", b' "franca"', _one(("stray_quote",)))
    yield _text("quotes: blank before, comma inside", b' "franca, centro"', _one(("stray_quote", "too_many_columns")))
    yield _text("quotes: tab after the closing one", b'"franca"\t', _one(("stray_quote",)))
    yield _text("quotes: no-break space after the closing one", b'"franca"\xc2\xa0', _one(("stray_quote",)))
    yield _sellers("quotes: blank after, at the end of the record", _one(("stray_quote",)), A, b'bbbb,14409,x,"SP" ', C)
    yield _sellers("quotes: blank after, in the first field", _one(("stray_quote",)), A, b'"bbbb" ,14409,x,SP', C)
    yield _sellers("quotes: blank before, in the first field", _one(("stray_quote",)), A, b' "bbbb",14409,x,SP', C)
    yield _sellers("quotes: blank after, in a typed field", _one(("stray_quote",)), A, b'bbbb,"14409" ,x,SP', C)
    yield _sellers("quotes: blank before, in a typed field", _one(("stray_quote",)), A, b'bbbb, "14409",x,SP', C)
    yield _text("quotes: text after the closing one", b'"fran"ca', stray)
    yield _text("quotes: two quoted parts", b'"fran"ca"x"', stray)
    yield _text("quotes: a doubled one torn apart", b'"a" "b"', stray)
    yield _text("quotes: an empty text torn apart", b'"" ""', stray)
    yield _text("quotes: doubled around a quoted text", b'""franca""', stray)
    yield _text("quotes: inside an unquoted text", b'rua "a" 5', as_text_or_not)
    yield _text("quotes: inches", b'42" tv', OneOf((Fine(3), unsure.choices[0], _one(STRAY))))
    yield _text("quotes: escaped by a backslash", b'"a \\"b\\" c"', unsure)
    yield _text("quotes: one escaped by a backslash", b'"42\\" tv"', unsure)
    yield _text("quotes: single ones around a comma", b"'franca, centro'", _one(TOO_MANY))
    yield _text("quotes: single ones are text", b"'franca'")
    yield _text("quotes: typographic ones are text", "\u201cfranca\u201d".encode())
    yield _text("quotes: three at each side", b'"""franca"""')
    yield _text("quotes: nothing but one", b'""""')
    yield _text("quotes: an empty text", b'""')
    yield _text("quotes: a text of one comma", b'","')
    yield _sellers(
        "quotes: two open ones that close each other", OneOf((Bad(1, (Fault(3, STRAY),)), Refused(("stray_quote",)))),
        A, b'"bbbb,14409,x,SP', B, b'"cccc,69900,x,AC', C,
    )  # fmt: skip
    yield _sellers("quotes: every field", Fine(2), *(b'"' + record.replace(b",", b'","') + b'"' for record in (A, B)))
    yield _kind(
        "quotes: a required text empty",
        "sellers",
        with_records("sellers", A, b'"",14409,x,SP'),
        _one(("missing_value",), "seller_id"),
    )


# --- cuts ---


def _cuts() -> Iterable[Damage]:
    items, reviews = FILES["order_items"], FILES["order_reviews"]
    sellers, crlf = with_records("sellers", A, B, C), with_records("sellers", A, B, C).replace(b"\n", b"\r\n")
    utf8 = with_records("sellers", A, "bbbb,14409,s\u00e3o,SP".encode())
    large = with_records("sellers", *many_sellers(400))

    def cut(name: str, source: str, data: bytes, expect: Expect) -> Damage:
        return _kind(f"cut {name}", source, data, expect)

    def unended(line: int, *also: str) -> Bad:
        return Bad(1, (Fault(line, (*UNENDED, *also)),))

    yield cut(
        "in a number, which is shorter now", "order_items", items[: items.rindex(b"8.70,")] + b"8.7,0", unended(4)
    )
    yield cut("in a number after its point", "order_items", items[:-3], unended(4, "bad_money"))
    yield cut("in an amount before its point", "order_payments", FILES["order_payments"][:-4], unended(5))
    yield cut("in the last amount", "order_payments", FILES["order_payments"][:-2], unended(5))
    yield cut("in a zip", "sellers", sellers[: sellers.index(b"69900") + 3], unended(4, "missing_columns", "bad_zip"))
    yield cut(
        "after a comma", "sellers", sellers[: sellers.index(b"69900")], unended(4, "missing_columns", "missing_value")
    )
    yield cut("after the last comma", "sellers", sellers[:-3], unended(4))
    yield cut("in the last text", "sellers", sellers[:-2], unended(4))
    yield cut("before the line end", "sellers", sellers[:-1], unended(4))
    yield cut("before the line end, of CRLF", "sellers", crlf[:-2], unended(4))
    yield cut("between CR and LF", "sellers", crlf[:-1], OneOf((Refused(LINE_ENDS), unended(4))))
    yield cut("in a large file", "sellers", large[:-4], unended(401))
    yield cut("in a time", "order_reviews", reviews[:-9], unended(6, "bad_timestamp"))
    yield cut("in a date", "order_reviews", reviews[:-13], unended(6, "bad_timestamp"))
    yield cut("in a quoted text", "order_reviews", reviews[: reviews.index(b"dois")], Refused(OPEN))
    yield cut("in a text of many lines", "order_reviews", reviews[: reviews.index(b"chegou")], Refused(OPEN))
    yield cut("after a closing quote", "sellers", with_records("sellers", A, b'bbbb,14409,x,"SP"')[:-1], unended(3))
    yield cut(
        "inside a doubled quote",
        "order_reviews",
        reviews[: reviews.index(b'"dois')],
        OneOf((unended(3, "missing_columns"), Refused((*OPEN, *LINE_ENDS)))),
    )
    yield cut(
        "inside a UTF-8 sequence", "sellers", utf8[: utf8.index(b"\xc3") + 1], unended(3, "missing_columns", *ENCODING)
    )
    yield cut("in the header", "sellers", HEADER[:-8], Refused((*NO_HEADER, *OPEN)))
    yield cut("in a name of the header", "sellers", PLAIN_HEADER[:-3], Refused(NO_HEADER))
    yield cut("after one byte", "sellers", b'"', Refused((*NO_HEADER, *OPEN)))
    yield cut("between two records, which nobody can see", "sellers", with_records("sellers", A, B), Fine(2))
    yield cut(
        "translation without its last line end, as the genuine one",
        "category_translation",
        CATEGORY_TRANSLATION,
        Fine(2),
    )
    yield cut(
        "translation without mark or last line end",
        "category_translation",
        CATEGORY_TRANSLATION.removeprefix(BOM),
        Fine(2),
    )
    yield cut("translation with its last line end", "category_translation", CATEGORY_TRANSLATION + b"\r\n", Fine(2))
    yield cut(
        "translation after a comma",
        "category_translation",
        CATEGORY_TRANSLATION[:-9],
        _one(("missing_value",), "product_category_name_english"),
    )
    yield cut("translation before a comma", "category_translation", CATEGORY_TRANSLATION[:-10], _one(TOO_FEW))
    for source in ("customers", "orders", "order_items", "order_payments", "products", "geolocation"):
        lines = FILES[source].count(b"\n")
        yield cut(f"before the line end: {source}", source, FILES[source][:-1], unended(lines))


# --- values ---

_VALUES: dict[tuple[str, str], tuple[str, ...]] = {
    ("order_items", "price"): (
        "1.23456", "1.005", "1e1", "1E+2", "1,5", "1.000,00", "1,000.00", "R$ 5", "5 BRL", "+5", " 5", "5 ", "5.", ".5",
        "\u0665", "\uff15", "10000000000", "12345678901.5", "0x10", "1_000", "--5", "5-", "(5)", "\u22125", "NaN",
        "inf", "NULL", "null", "None", "N/A", "-", "\\N", "#DIV/0!", "1/2", "\u00bd", "5\u00a0", "true", "1.2.3",
    ),
    ("order_items", "order_item_id"): (
        "10.7", "1.0", "1e1", "2147483648", "9999999999", "0x10", "-", "+1", " 1", "1 ", "1,000", "one", "\u0661",
        "\uff11", "NULL", "NaN", "\\N", "1a", "''", "\u00b2", "0b1", "1\u200b",
    ),
    ("sellers", "seller_zip_code_prefix"): (
        "1310", "013100", "01310-000", "01.310", "1310.0", " 1310", "1310 ", " 01310", "01310 ", "O1310", "+1310",
        "-1310", "\u0660\u0661\u0663\u0661\u0660", "\uff10\uff11\uff13\uff11\uff10", "NULL", "NaN", "\\N", "1.3e3",
        "'01310",
    ),
    ("order_items", "shipping_limit_date"): (
        "infinity", "-infinity", "epoch", "now", "today", "2017-10-06 11:07:15Z", "2017-10-06 11:07:15+00",
        "2017-10-06 11:07:15 UTC", "2017-10-06 11:07:15-03:00", "31/12/2017", "12/31/2017 10:00", "2017-02-30 00:00:00",
        "2017-02-29 00:00:00", "2017-13-01 00:00:00", "2017-00-10 00:00:00", "2017-10-06 24:00:00",
        "2017-10-06 23:59:60", "2017-10-06 11:07:15.5", "2017-10-06 11:07:15.000", "2017-10-06", "2017-10-06 11:07",
        "2017-10-06T11:07:15", "0000-01-01 00:00:00", "0017-10-06 11:07:15", "99999-01-01 00:00:00", "1507288035",
        "43014.46336", "2017-10-06 11:07:15 (BC)", "2017-10-06  11:07:15", "2017-10-6 11:07:15", "NULL", "NaT", "\\N",
        "0000-00-00 00:00:00", "\uff12\uff10\uff11\uff17-10-06 11:07:15", "2017-10-06 11:07:15 PM",
        " 2017-10-06 11:07:15",
        "2017\u201110\u201106 11:07:15", "-2017-10-06 11:07:15",
    ),
    ("geolocation", "geolocation_lat"): (
        "nan", "NaN", "inf", "-Infinity", "1e5", "-2.3e1", "-46,63", "-23.", ".5", "+23.5", " -23.5", "-23.5 ",
        "1234.5", "23.5S", "23\u00b030'", "-", "0x1p3", "NULL", "\\N", "\u22122", "-23.561.991", "\u0662\u0663.5",
    ),
}  # fmt: skip
_EXACT = {
    ("order_items", "order_item_id"): ("-0", "007", "999999999", "-999999999"),
    ("order_items", "price"): ("0", "-0.5", "9999999999.99", "0.10", "00.10"),
    ("order_items", "shipping_limit_date"): ("2016-02-29 23:59:59", "1000-01-01 00:00:00", "9999-12-31 23:59:59"),
    ("geolocation", "geolocation_lat"): ("-0.0", "180", "-23.561991179999998", "0.00000000000000000000001"),
}
_REQUIRED = {
    "customers": ("customer_id", "customer_unique_id", "customer_zip_code_prefix"),
    "orders": ("order_id", "order_status", "order_purchase_timestamp"),
    "order_items": ("product_id", "price"),
    "geolocation": ("geolocation_lng",),
    "category_translation": ("product_category_name", "product_category_name_english"),
}


def _columns(source: str) -> list[str]:
    return header_of(source).decode("utf-8-sig").strip().replace('"', "").split(",")


def _with_value(source: str, column: str, value: bytes) -> bytes:
    """Return the file of a source, with this value in the second record, which must have no quoted comma."""
    end = b"\r\n" if header_of(source).endswith(b"\r\n") else b"\n"
    header, first, second, *rest = FILES[source].removesuffix(end).split(end)
    good = GOOD.get(source, first)
    fields = good.split(b",")
    fields[_columns(source).index(column)] = value
    return end.join([header, first, b",".join(fields), second, *rest, b""])


GOOD = {"order_items": b"e481,9,prod,sell,2017-10-06 11:07:15,5.00,1.00", "geolocation": b"01310,-23.5,-46.6,x,SP"}
_TYPE_OF = {
    "price": "money",
    "order_item_id": "integer",
    "seller_zip_code_prefix": "zip",
    "shipping_limit_date": "timestamp",
    "geolocation_lat": "coordinate",
}


def _values() -> Iterable[Damage]:
    for (source, column), texts in _VALUES.items():
        kind = f"bad_{_TYPE_OF[column]}"
        for text in texts:
            raw = text.encode()
            cell = b'"' + raw + b'"' if b"," in raw else raw
            yield _kind(f"{kind}: {text!a}", source, _with_value(source, column, cell), _one((kind,), column))
    yield _kind(
        "bad_integer: a line end in it",
        "order_items",
        _with_value("order_items", "order_item_id", b'"1\n"'),
        _one(("bad_integer",), "order_item_id"),
    )
    for source, columns in _REQUIRED.items():
        for column in columns:
            yield _kind(
                f"missing_value: {column}", source, _with_value(source, column, b""), _one(("missing_value",), column)
            )
    yield _kind(
        "fine: an optional time empty", "order_items", _with_value("order_items", "shipping_limit_date", b""), Fine(4)
    )
    for (source, column), texts in _EXACT.items():
        for text in texts:
            data = _with_value(source, column, text.encode())
            yield _kind(f"fine {_TYPE_OF[column]}: {text}", source, data, Fine())


# --- texts that look like something else ---


def _texts() -> Iterable[Damage]:
    for text in (
        "'; drop table raw.stg_sellers; --", "$1", "${HOME}", "{{ var('x') }}", "%s %d %(x)s", "[red]x[/red]", "[/]",
        "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b31m", "=1+1", '=HYPERLINK("http://x")', "@SUM(A1)", "+1", "-1",
        "NULL", "null", "NaN", "\\N", "\\", "a\\nb", "C:\\new", "None", "true", "0123", "1e5", " sao paulo ", "\t",
        "#x", "-- x", "/* x */", "<b>x</b>", "\x01\x02\x1f\x7f", "\x1a", "\ufeffx", "\uffff", "\U0010ffff", "e\u0301",
        "\u00e9", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f381", "\u202ertl", "\u200b", "\u00a0",
        "\U00020000",
    ):  # fmt: skip
        raw = text.encode()
        yield _text(f"text: {text!a}", b'"' + raw.replace(b'"', b'""') + b'"' if b'"' in raw else raw)
    yield _text("text: in quotes, with everything", '"a, ""b""\r\n\n\tc \U0001f381"'.encode())


# --- sizes and places ---


def _sizes() -> Iterable[Damage]:
    good, wrong = many_sellers(300), b"xxxx,1,x,SP"
    zip_fault = (("bad_zip",), ("seller_zip_code_prefix",))
    yield _text("a text of one megabyte", b"x" * 1_000_000)
    yield _text("a quoted text of one megabyte", b'"' + b'a ""b"", c\n' * 100_000 + b'"')
    too_long = OneOf(
        (
            Refused(("record_too_long", "unreadable_csv", "line_too_long")),
            Bad(
                1,
                (
                    Fault(
                        3, ("line_too_long", "record_too_long", "maximum_line_size_exceeded", "line_size_over_maximum")
                    ),
                ),
            ),
        )
    )
    yield _text("a record of more than 16 MB", b"x" * 16_100_000, too_long)
    yield _text("a quoted record of more than 16 MB", b'"' + (b"x" * 99 + b"\n") * 161_000 + b'"', too_long)
    yield _sellers("100,000 bad records", Bad(100_000), *good, *[wrong] * 100_000)
    yield _sellers("bad and good in turn", Bad(300), *(record for one in good for record in (one, b"x")))
    yield replace(_sellers("all bad", Refused(("too_many_bad_records",)), *[wrong] * 5), max_bad_share=0.05)
    yield _sellers("all bad, and taken", Bad(5), *[wrong] * 5)
    yield _sellers("the only record bad", Bad(1, (Fault(2, *zip_fault),)), wrong)
    yield replace(
        _sellers("one bad of 300", Bad(1, (Fault(152, *zip_fault),)), *good[:150], wrong, *good[150:]),
        max_bad_share=0.05,
    )
    yield replace(_sellers("the first bad of 300", Bad(1, (Fault(2, *zip_fault),)), wrong, *good), max_bad_share=0.05)
    yield replace(_sellers("the last bad of 300", Bad(1, (Fault(302, *zip_fault),)), *good, wrong), max_bad_share=0.05)
    yield replace(
        _sellers("more bad than may be", Refused(("too_many_bad_records",)), *good, *[wrong] * 16), max_bad_share=0.05
    )
    yield replace(_sellers("as many bad as may be", Bad(15), *good[:285], *[wrong] * 15), max_bad_share=0.05)
    long = b'llll,01310,"a\n\nb\n",SP'
    yield _sellers(
        "bad after texts of many lines",
        Bad(2, (Fault(10, *zip_fault), Fault(15, TOO_FEW))),
        long,
        long,
        wrong,
        long,
        b"x",
        A,
    )
    yield _sellers(
        "bad after blank lines",
        Bad(2, (Fault(5, *zip_fault), Fault(8, TOO_FEW))),
        A,
        b"",
        b"",
        wrong,
        b"",
        b"",
        b"x",
        A,
    )
    yield _kind(
        "bad after many lines and blank lines, CRLF, with mark",
        "sellers",
        BOM + with_records("sellers", A, b"", long, b"", wrong, b"", long, b"x", A).replace(b"\n", b"\r\n"),
        Bad(2, (Fault(9, *zip_fault), Fault(15, TOO_FEW))),
    )  # fmt: skip
    yield _sellers(
        "bad records of many lines",
        Bad(2, (Fault(3, *zip_fault), Fault(7, *zip_fault))),
        A,
        b'x,"1\n\n2",x,SP',
        A,
        b'y,1,"\n",SP',
        A,
    )
    yield _sellers(
        "bad in two columns",
        Bad(1, (Fault(3, ("missing_value",), ("seller_id",)), Fault(3, *zip_fault))),
        A,
        b",1,x,SP",
        C,
    )
    yield _kind("the same record twice", "sellers", plus("sellers", A, A), Fine(4))


# --- what stands under the name ---


def _outside(folder: Path) -> None:
    (folder.parent / "outside.csv").write_bytes(FILES["sellers"])


def _inside(folder: Path) -> None:
    (folder / "archive").mkdir()
    (folder / "archive" / "real.csv").write_bytes(FILES["sellers"])


def _hard(folder: Path) -> None:
    _outside(folder)
    (folder / NAMES["sellers"]).hardlink_to(folder.parent / "outside.csv")


def _through(folder: Path) -> None:
    _outside(folder)
    (folder / "hop").symlink_to("../outside.csv")


def _under_the_name() -> Iterable[Damage]:
    name = NAMES["sellers"]

    def kind(title: str, make: Callable[[Path], object], expect: Expect) -> Damage:
        def instead(folder: Path) -> None:
            (folder / name).unlink()
            make(folder)

        return Damage(title, "sellers", instead, expect)

    def link(title: str, target: str, expect: Expect, prepare: Make | None = None) -> Damage:
        def make(folder: Path) -> None:
            if prepare:
                prepare(folder)
            (folder / name).symlink_to(target)

        return kind(title, make, expect)

    yield kind("file missing", lambda _: None, Missing())
    yield kind("a FIFO", lambda folder: os.mkfifo(folder / name), Refused(("not_a_file",)))
    yield kind("a folder", lambda folder: (folder / name).mkdir(), Refused(("not_a_file",)))
    yield kind("a socket", lambda folder: _socket(folder / name), Refused(("not_a_file",)))
    yield kind("a hard link to a file outside", _hard, Fine(2))
    yield link("a link to a device", "/dev/null", Refused(("link_outside", "not_a_file")))
    yield link("a link to an endless device", "/dev/zero", Refused(("link_outside", "not_a_file")))
    yield link("a link to a kernel file", "/proc/self/mem", Refused(("link_outside", "unreadable")))
    yield link("a link to nothing", "nowhere.csv", Refused(("unreadable", "not_a_file")))
    yield link("a link to nothing outside", "../nowhere.csv", Refused(("link_outside", "unreadable")))
    yield link("a link to itself", name, Refused(("unreadable",)))
    yield link("a link to a file outside", "../outside.csv", Refused(("link_outside",)), _outside)
    yield link("a link to a link to a file outside", "hop", Refused(("link_outside",)), _through)
    yield link("a link to the folder above", "..", Refused(("link_outside", "not_a_file")))
    yield link("a link to a file inside", "archive/real.csv", Fine(2), _inside)
    yield link("a link that leaves and comes back", "../source/archive/real.csv", Fine(2), _inside)
    yield link("a link to a FIFO inside", "pipe", Refused(("not_a_file",)), lambda folder: os.mkfifo(folder / "pipe"))
    if os.geteuid() != 0:  # root may read everything
        yield Damage("unreadable", "sellers", lambda folder: (folder / name).chmod(0), Refused(("unreadable",)))


def _socket(path: Path) -> None:
    """Leave a socket at a path that may be too long to bind it there."""
    with tempfile.TemporaryDirectory() as folder:
        holder = socket.socket(socket.AF_UNIX)
        holder.bind(f"{folder}/s")
        holder.close()
        Path(folder, "s").rename(path)


# --- names ---


def _names() -> Iterable[Damage]:
    def delivery(title: str, part: str, data: bytes = FILES["sellers"], expect: Expect = Fine(2)) -> Damage:
        file = f"olist_sellers_dataset{part}.csv"
        return Damage(f"name: {title}", "sellers", _write(file, data), expect, file)

    upper = NAMES["sellers"].upper()

    def in_upper_case(folder: Path) -> None:
        (folder / NAMES["sellers"]).rename(folder / upper)

    for title, part in {
        "quotes": "'\"`", "glob": "*?[1]", "open bracket": "[", "braces": "{a,b}", "newline": "\n", "tab": "\t",
        "return": "\r", "dashes": "--", "statement": "';drop table x;--", "markup": "[red]x[", "percent": "%s%20%",
        "emoji": "\U0001f381", "accent as two characters": "e\u0301", "escape": "\x1b[31m", "backslash": "\\n",
        "dollar": "$path", "blanks": "  ", "dots": "..", "tilde": "~", "equals": "=x", "hash": "#1", "tail": ".csv",
        "gz": ".csv.gz", "right to left": "\u202e", "250 bytes": "x" * 225, "comma": ",", "bidi": "\u2066",
    }.items():  # fmt: skip
        yield delivery(title, part)
    bad = with_records("sellers", A, b"x", C)
    yield delivery("quotes, of a file with a bad record", "'\"", bad, _one(TOO_FEW))
    yield delivery("glob, of a file with a bad record", "[a-z]*", bad, _one(TOO_FEW))
    yield delivery("escape, of a refused file", "\x1b[2J", b"", Refused(("empty",)))
    yield delivery("markup, of a refused file", "[bold red]", b"", Refused(("empty",)))
    yield delivery("newline, of a file with a bad record", "\n", bad, _one(TOO_FEW))
    yield delivery("not UTF-8", os.fsdecode(b"\xff\xfe"), expect=Refused(("file_name",)))
    yield delivery("half a sequence", os.fsdecode(b"_\xc3"), expect=Refused(("file_name",)))
    yield delivery("the same file twice", "_again")
    yield Damage("name: upper case beside the file", "sellers", _write(upper, FILES["sellers"]), Fine(2))
    yield Damage("name: upper case instead of the file", "sellers", in_upper_case, Missing())


def _of_other_sources() -> Iterable[Damage]:
    translation, reviews = CATEGORY_TRANSLATION, FILES["order_reviews"]
    yield _kind("translation with LF", "category_translation", translation.replace(b"\r\n", b"\n"), Fine(2))
    yield _kind("reviews with LF", "order_reviews", reviews.replace(b"\r\n", b"\n"), Fine(3))
    yield _kind("reviews with CRLF inside and LF at the ends", "order_reviews", _lf_ends(reviews), Fine(3))
    yield _kind("reviews after a mark", "order_reviews", BOM + reviews, Fine(3))
    yield _kind(
        "translation with its header again in the middle",
        "category_translation",
        translation + b"\r\n" + header_of("category_translation").removeprefix(BOM) + b"moveis,furniture\r\n",
        Bad(1, (Fault(4, ("repeated_header",)),)),
    )
    yield _kind(
        "orders with an index column in every record",
        "orders",
        header_of("orders") + b"".join(b"0," + line for line in FILES["orders"].splitlines(keepends=True)[1:]),
        Bad(3),
    )
    yield _kind("customers under the name of sellers", "sellers", FILES["customers"], Refused(NO_HEADER))
    yield _kind(
        "products as pandas writes integers with gaps",
        "products",
        FILES["products"].replace(b",40,287,1,225,16,10,14", b",40.0,287.0,1.0,225.0,16.0,10.0,14.0"),
        Bad(1),
    )
    yield _kind(
        "sellers as a spreadsheet writes them",
        "sellers",
        BOM + FILES["sellers"].replace(b'"', b"").replace(b"\n", b"\r\n").replace(b",01310,", b",1310,"),
        Bad(1, (Fault(2, ("bad_zip",), ("seller_zip_code_prefix",)),)),
    )


def _lf_ends(data: bytes) -> bytes:
    """Return reviews whose records end in LF, while their texts keep CRLF."""
    quoted = data.split(b'"')
    return b'"'.join(part.replace(b"\r\n", b"\n") if number % 2 == 0 else part for number, part in enumerate(quoted))


def _all() -> Iterable[Damage]:
    yield from _headers()
    yield from _foreign()
    yield from _encodings()
    yield from _line_ends()
    yield from _commas()
    yield from _quotes()
    yield from _cuts()
    yield from _values()
    yield from _texts()
    yield from _sizes()
    yield from _under_the_name()
    yield from _names()
    yield from _of_other_sources()


KINDS: tuple[Damage, ...] = tuple(_all())
