"""Random networks over all layers, compared with PyTorch in float64.

`drawing` generates the description of a network from a seed; `node` turns a description into Python
code, and the code into a model. `torch_twin` computes the model with PyTorch; `training_run` trains
it in both libraries. `runs` contains all the ways in which the library computes a network,
`tracing` the numbers that it shows of each layer, and `exchange` the ways through the formats of
other libraries. `verdict` defines the tolerances, and `shrinking` reduces a failing network. To try
many::

    make random SEED=… N=…                  # computed, fused, replayed, frozen, trained
    make random SEED=… N=… ARGS=exchange    # traced, and through ONNX, PyTorch and Keras
"""
