"""What is wrong with the warehouse, and how to mend it: quarantine, errors, an earlier version."""
