"""Sample data: nine made-up files with the shape, bytes and quirks of the real ones."""

from __future__ import annotations

from olistctl.sample.generator import SampleFile, SampleReport, generate

__all__ = ["SampleFile", "SampleReport", "generate"]
