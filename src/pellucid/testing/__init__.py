"""Checks for layers: gradients, adjoints, generated test cases."""
