"""A file that was hashed before is hashed again only when it may have changed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from olistctl.identities import identity_of
from olistctl.sources import Fingerprints

OLD = 1_500_000_000
KNOWN = "0" * 64  # the hash of nothing: who returns it has not read the file


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "fingerprints.json"


def remembered(cache: Path, file: Path, sha256: str) -> Fingerprints:
    """Return a cache, read anew, that holds a hash for the file as it is now."""
    entry = {"identity": identity_of(file.stat()), "sha256": sha256}
    cache.write_text(json.dumps({str(file): entry}))
    return Fingerprints(cache)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_as_it_was_is_not_read(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"a")
    assert remembered(cache, file, KNOWN).sha256_of(file) == KNOWN


@pytest.mark.parametrize("change", ["content", "touch", "mtime restored", "another inode", "hard link"])
def test_a_file_whose_metadata_moved_is_read(cache: Path, tmp_path: Path, change: str) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"a")
    os.utime(file, (OLD, OLD))
    known = remembered(cache, file, KNOWN)
    if change in ("content", "mtime restored"):
        file.write_bytes(b"b")
    if change == "another inode":
        (tmp_path / "b.csv").write_bytes(b"a")
        (tmp_path / "b.csv").replace(file)
    if change == "hard link":
        os.link(file, tmp_path / "b.csv")
    if change in ("touch", "mtime restored", "another inode"):
        os.utime(file, (OLD, OLD))
    assert known.sha256_of(file) == sha256(file.read_bytes())


def test_what_was_written_just_now_is_not_trusted(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"a")
    fingerprints = Fingerprints(cache)
    assert fingerprints.sha256_of(file) == sha256(b"a")
    fingerprints.save()
    assert not cache.exists(), "its times may not move with the next write"


def test_a_hash_is_kept_only_for_the_file_that_it_was_taken_of(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"a")
    before = list(identity_of(file.stat()))
    before[3] = before[4] = OLD  # long ago
    fingerprints = Fingerprints(cache)
    fingerprints.note(file, tuple(before), "of what it was")
    assert fingerprints.sha256_of(file) == sha256(b"a")


@pytest.mark.parametrize(
    "content",
    [
        "", "no JSON {", "[]", "3", '{"/a": 3}', '{"/a": {"identity": 3, "sha256": "x"}}', '{"/a": {}}', "\0",
        pytest.param("[" * 100_000, id="deep"),
    ],
)  # fmt: skip
def test_a_damaged_cache_counts_as_none(cache: Path, tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"a")
    cache.write_text(content)
    assert Fingerprints(cache).sha256_of(file) == sha256(b"a")


def test_a_hash_that_is_none_and_a_pipe_in_place_of_the_cache_count_as_none(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"a")
    assert remembered(cache, file, "known").sha256_of(file) == sha256(b"a")
    cache.unlink()
    os.mkfifo(cache)
    assert Fingerprints(cache).sha256_of(file) == sha256(b"a")


def test_names_that_are_no_text_and_folders_that_cannot_be_written_are_no_error(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"\xff.csv")
    file.write_bytes(b"a")
    fingerprints = remembered(tmp_path / "fingerprints.json", file, KNOWN)
    assert fingerprints.sha256_of(file) == KNOWN
    absent = Fingerprints(tmp_path / "nowhere" / "fingerprints.json")
    absent.sha256_of(file)
    absent.save()
    assert not (tmp_path / "nowhere").exists()
