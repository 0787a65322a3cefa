"""Checks for layers: gradients, adjoints, generated cases."""
