"""Growing pauses between the tries of what has failed."""

from __future__ import annotations

_FIRST, _MOST = 5.0, 600.0
_FIRST_BUSY, _MOST_BUSY = 1.0, 30.0  # another command ends sooner than a fault is mended


class Pauses:
    """How often something has failed in a row, and when (in seconds that only grow) it is tried again."""

    def __init__(self) -> None:
        self.failures = 0
        self.next_at: float | None = None

    def failed(self, now: float, *, is_busy: bool = False) -> float:
        """Note a failure, and return the pause in seconds: twice the last one, up to a limit."""
        first, most = (_FIRST_BUSY, _MOST_BUSY) if is_busy else (_FIRST, _MOST)
        pause = min(first * 2.0 ** min(self.failures, 20), most)
        self.failures += 1
        self.next_at = now + pause
        return pause

    def reset(self) -> None:
        """Forget the failures."""
        self.failures, self.next_at = 0, None
