"""`pellucid.layers` by the name that PyTorch's users type.

>>> import pellucid.nn
>>> from pellucid import layers
>>> pellucid.nn is layers
True
"""

import sys

from pellucid import layers
from pellucid.layers import *  # noqa: F403  # for type checkers

sys.modules[__name__] = layers
