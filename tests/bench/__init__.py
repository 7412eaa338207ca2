"""The benchmark: `python -m tests.bench`, from the checkout's root."""
