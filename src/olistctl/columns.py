"""How wide the columns of a table are in a terminal: no name and no number of theirs is ever broken or cut."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

_GAPS = (3, 2)  # blanks between two columns: as it looks best, and as it may still be read
_EDGES = 2  # a blank on either side
_NARROWEST = 12  # a column whose texts are broken into lines


def laid_out(
    columns: Sequence[str], cells: Sequence[Sequence[str]], whole: Sequence[bool], width: int
) -> tuple[int, list[int]] | None:
    """Return the blanks between two columns of a table, and how wide each column is; None where they do not fit.

    `whole` says which columns must not be broken into lines; the texts of the others are broken between words.
    """
    longest = [max(map(cell_len, own)) for own in zip(columns, *cells, strict=True)]
    least = [
        max(cell_len(name), most if is_whole else max((_least_width(row[index]) for row in cells), default=0))
        for index, (name, most, is_whole) in enumerate(zip(columns, longest, whole, strict=True))
    ]
    for gap in _GAPS:
        room = width - _EDGES - sum(least) - gap * (len(columns) - 1)
        if room >= 0:
            return gap, _widened(least, longest, room)
    return None


def _widened(least: Sequence[int], longest: Sequence[int], room: int) -> list[int]:
    """Share the room that is left out among the columns, first to those that need little."""
    widths = list(least)
    for index in sorted(range(len(widths)), key=lambda index: longest[index] - least[index]):
        more = min(room, longest[index] - least[index])
        widths[index] += more
        room -= more
    return widths


def _least_width(text: str) -> int:
    """Return how narrow a cell may be: as its longest word, but for a path in a sentence, which few terminals hold."""
    words = [cell_len(word) for word in text.split() if "/" not in word]
    return max([*words, min(cell_len(text), _NARROWEST)])
