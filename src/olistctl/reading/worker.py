"""What `validation.inspect_all` asks for, served in a process of its own."""

from __future__ import annotations

from olistctl.reading.inspection import Inspection, inspect_file
from olistctl.results import Progress
from olistctl.sources import SourceFile
from olistctl.workers import serve


def inspect(file: SourceFile, progress: Progress) -> Inspection:
    """Look at a whole file, as `inspect_file` does."""
    return inspect_file(file, progress.advance)


def main() -> None:
    """Inspect files as long as somebody asks."""
    serve({"inspect": inspect}, shows_progress=("inspect",))


if __name__ == "__main__":
    main()
