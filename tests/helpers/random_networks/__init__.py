"""Random networks over all layers, compared with PyTorch in float64.

`drawing` makes the description of a network from a seed; `node` turns a description into Python
code and the code into a model; `torch_twin` computes the same with PyTorch, and `training_twin`
trains it; `runs` are all the ways in which the library computes; `verdict` says how far apart
results may lie, and `shrinking` takes layers away from a network that fails. To try many::

    make random SEED=… N=…
"""
