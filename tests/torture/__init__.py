"""Tests that break things on purpose: kills, full disks, damaged files, readers and signals in real processes."""
