"""Convolution with channels in the lanes of a register, for few images; see `layout`."""
