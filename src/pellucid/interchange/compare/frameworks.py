"""The frameworks that are compared, and whether they are installed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from pellucid.errors import PellucidError
from pellucid.interchange.compare.look import Contestant


@dataclass(frozen=True)
class Framework:
    """One of them: its name here and to people, what it needs, and where it is written."""

    name: str
    title: str
    package: str | None
    extra: str | None
    module: str

    @property
    def installed(self) -> bool:
        """Whether it can run here."""
        return self.package is None or find_spec(self.package) is not None

    def contestant(self) -> type[Contestant]:
        """Return what builds a network in it."""
        found: type[Contestant] = import_module(
            f"pellucid.interchange.compare.{self.module}"
        ).Contestant
        return found


OURS = Framework("pellucid", "Pellucid", None, None, "ours")
PYTORCH = Framework("pytorch", "PyTorch", "torch", "torch", "pytorch")
TENSORFLOW = Framework("tensorflow", "TensorFlow", "tensorflow", "tensorflow", "tensorflow")

FRAMEWORKS = (OURS, PYTORCH, TENSORFLOW)


def named(name: str) -> Framework:
    """Return the framework with this name."""
    found = next((framework for framework in FRAMEWORKS if framework.name == name), None)
    if found is None:
        raise PellucidError(f"'{name}' is none of {', '.join(f.name for f in FRAMEWORKS)}")
    return found
