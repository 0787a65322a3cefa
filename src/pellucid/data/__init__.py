"""Data sets: found, read, split and augmented."""
