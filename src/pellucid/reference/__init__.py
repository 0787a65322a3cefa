"""The mathematics in NumPy: arrays in, arrays out. It knows no layers."""

from pellucid.reference.batch import make_batch as make_batch
