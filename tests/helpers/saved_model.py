"""A model to save, with nested combinators, a shared layer, and class names in several scripts."""

from pellucid import layers as nn
from pellucid.preprocessing import Preprocessing


def small_model():
    shared = nn.Linear(4, 4)
    branches = nn.Concat(left=nn.Linear(4, 3), right=nn.Residual(shared, activation=nn.Tanh()))
    model = nn.Sequential(nn.Flatten(), branches=branches, fc=nn.Linear(7, 4), again=shared)
    model.preprocessing = Preprocessing((127.5,), (0.1,))
    model.classes = ("zero", "eins", "två", "三")
    model.input_shape = (1, 2, 2)
    return nn.initialize(model, seed=3)
