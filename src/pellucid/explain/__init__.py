"""Seeing inside: what a network has learned and why it decides as it does, as plain arrays."""

from pellucid.explain.activations import activations

__all__ = ["activations"]
