"""The reference engine, as the compiled one falls back to it for what it has no kernel for.

A call that falls back makes arrays of its own and cannot be captured; a recording that is running
is told so.
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
