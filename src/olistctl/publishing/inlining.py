"""Data that stands in a page."""

from __future__ import annotations

import json
from typing import Any


def in_script(value: Any) -> str:
    """Return JSON that can stand in a script of a page: no text of it ends the script."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")
