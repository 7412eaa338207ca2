"""How much may be wrong with a file that loads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from olistctl.config import Settings
from olistctl.sources import Source


@dataclass(frozen=True)
class Limits:
    """The shares of records, 0..1, above which a file is refused or held back; a source may set its own.

    `max_bad_share`: of bad records. `max_shrink_share`: of records that the file had when it was loaded and has no
    more. `accepted`: names of files that load however much they have shrunk.
    """

    max_bad_share: float
    max_shrink_share: float = 1.0
    accepted: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings, accepted: frozenset[str] = frozenset()) -> Limits:
        """Return the limits of the settings."""
        return cls(settings.max_bad_share, settings.max_shrink_share, accepted)

    def shrink_share_of(self, source: Source) -> float:
        """Return the share of its records that a file of the source may lose."""
        return self.max_shrink_share if source.max_shrink_share is None else source.max_shrink_share

    def fingerprint(self, source: Source, records_before: int = 0) -> str:
        """Return the SHA-256 of all that decides, beside its content, whether a file of the source loads.

        `records_before`: how many records the file had, where that decides.
        """
        bad = self.max_bad_share if source.max_bad_share is None else source.max_bad_share
        judge = (source.fingerprint, bad, self.shrink_share_of(source), records_before)
        return hashlib.sha256(repr(judge).encode()).hexdigest()
