"""NONMEM-style tables, in columns: a million rows are read in seconds."""

from .reader import read, read_table

__all__ = ["read", "read_table"]
