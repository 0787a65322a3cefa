"""Training: a generator of records, and its consumers."""
