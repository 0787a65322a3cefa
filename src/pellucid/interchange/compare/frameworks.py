"""The frameworks that can be compared, and whether they are installed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from pellucid.errors import PellucidError
from pellucid.interchange.compare.inspection import Contestant


@dataclass(frozen=True)
class Framework:
    """A framework: its name, title, required package and extra, and module."""

    name: str
    title: str
    package: str | None
    extra: str | None
    module: str

    @property
    def installed(self) -> bool:
        """Whether the framework's package is installed."""
        return self.package is None or find_spec(self.package) is not None

    def contestant(self) -> type[Contestant]:
        """Return the class that runs a network in this framework."""
        found: type[Contestant] = import_module(
            f"pellucid.interchange.compare.{self.module}"
        ).Contestant
        return found


PELLUCID = Framework("pellucid", "Pellucid", None, None, "pellucid_")
PYTORCH = Framework("pytorch", "PyTorch", "torch", "torch", "pytorch")
TENSORFLOW = Framework("tensorflow", "TensorFlow", "tensorflow", "tensorflow", "tensorflow")

FRAMEWORKS = (PELLUCID, PYTORCH, TENSORFLOW)


def named(name: str) -> Framework:
    """Return the framework with this name."""
    found = next((framework for framework in FRAMEWORKS if framework.name == name), None)
    if found is None:
        known = ", ".join(f.name for f in FRAMEWORKS)
        raise PellucidError(f"unknown framework '{name}'; choose from {known}")
    return found
