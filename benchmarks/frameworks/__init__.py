"""The contestants: each file builds a network in its own library from the same description."""
