"""The reference engine's functions, for what is not compiled: a recording says that it met one."""

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
