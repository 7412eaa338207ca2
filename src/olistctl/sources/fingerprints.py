"""What is known of files that were read before: the hash of a file whose metadata has not moved."""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from olistctl.drafts import written
from olistctl.identities import Identity, identity_of, is_still
from olistctl.sources.discovery import sha256_of

_MAX_BYTES = 16 << 20  # of the file in which the hashes are kept; some 200 are written for each
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Fingerprints:
    """The SHA-256 of files by path and identity, kept in a file between calls.

    Content is the truth: a file whose times have moved is hashed again. It is a cache; without it everything still
    works, and a file that is damaged counts as none.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, tuple[Identity, str]] = {}
        self._is_changed = False
        with suppress(OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
            if stat.S_ISREG(file.stat().st_mode) and file.stat().st_size <= _MAX_BYTES:
                entries = json.loads(file.read_text(encoding="utf-8"))
                self._known = {
                    path: (tuple(entry["identity"]), entry["sha256"])
                    for path, entry in entries.items()
                    if _SHA256.fullmatch(entry["sha256"])
                }

    def sha256_of(self, path: Path) -> str:
        """Return the SHA-256 of a regular file, reading it only when it may have changed.

        Raises:
            OSError: it cannot be read.
        """
        identity = identity_of(path.stat())
        known = self._known.get(str(path))
        if known and known[0] == identity:
            return known[1]
        sha256 = sha256_of(path)
        self.note(path, identity, sha256)
        return sha256

    def still_has(self, path: Path, sha256: str) -> bool:
        """Tell whether a file can be read and has this content."""
        try:
            return self.sha256_of(path) == sha256
        except OSError:
            return False

    def note(self, path: Path, identity: Identity, sha256: str) -> None:
        """Keep the hash of a file that had this identity before and after it was read."""
        with suppress(OSError):
            if identity_of(path.stat()) == identity and is_still(identity):
                self._known[str(path)] = identity, sha256
                self._is_changed = True

    def save(self) -> None:
        """Keep what is known for the next call, if the folder can be written; files that are gone are dropped."""
        if not self._is_changed or not self._file.parent.is_dir():
            return
        entries = {
            path: {"identity": identity, "sha256": sha256}
            for path, (identity, sha256) in self._known.items()
            if os.path.lexists(path)
        }
        with suppress(OSError), written(self._file) as draft:
            draft.write_text(json.dumps(entries), encoding="utf-8")
