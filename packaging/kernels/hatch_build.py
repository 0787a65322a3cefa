"""Give the wheel the tag of the Python and the platform that its machine code was made on."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags


class KernelsHook(BuildHookInterface):
    """Tells hatchling that what the wheel holds is not Python alone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        first, *others = (tag for tag in sys_tags() if not tag.platform.startswith("linux"))
        same = [t for t in others if (t.interpreter, t.abi) == (first.interpreter, first.abi)]
        # the code calls no C library, so an old one is good enough; PyPI wants to know which
        old = [tag for tag in same if tag.platform.startswith("manylinux_2_17")]
        build_data["pure_python"] = False
        build_data["tag"] = str((old or [first])[0])
