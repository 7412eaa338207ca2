"""olistctl: the nine Olist CSVs to a tested, documented dimensional warehouse."""

__version__ = "0.1.0"
