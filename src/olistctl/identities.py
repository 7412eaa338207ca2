"""What tells one content of a file from another without reading it: its metadata."""

from __future__ import annotations

import os
import time

Identity = tuple[int, ...]

# A file that was written just now may be written again without a change of its times, which are as coarse as two
# seconds on some file systems.
_STILL_FOR_NS = 2_000_000_000


def identity_of(status: os.stat_result) -> Identity:
    """Return what no other file, and no other content of this one, has, once it `is_still`."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode


def is_still(identity: Identity) -> bool:
    """Tell whether the file was left alone for so long that its next change will show."""
    *_, modified, changed, _mode = identity
    return time.time_ns() - max(modified, changed) > _STILL_FOR_NS
