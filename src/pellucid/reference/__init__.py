"""The mathematics in NumPy: arrays in, arrays out. It knows no layers."""
