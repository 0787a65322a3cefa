"""The reference engine, used for operations that have no compiled kernel.

Such a call creates its own arrays and cannot be captured, so it marks a running recording as
incomplete.
"""

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pellucid.reference
from pellucid.runtime.recording import unrecorded

__all__ = ["reference"]

if TYPE_CHECKING:
    from pellucid import reference
else:
    reference = SimpleNamespace(
        **{
            name: unrecorded(item)
            for name, item in vars(pellucid.reference).items()
            if callable(item)
        }
    )
