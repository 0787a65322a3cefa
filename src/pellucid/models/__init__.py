"""Well-known networks, by name."""
