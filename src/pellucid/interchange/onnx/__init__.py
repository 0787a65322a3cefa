"""Save models as ONNX files, which many programs run, and load such files.

Format: the ONNX specification, https://onnx.ai/onnx/repo-docs/IR.html and
https://onnx.ai/onnx/operators/. Needs ``pip install "pellucid[onnx]"``.
"""

from __future__ import annotations

from pellucid.interchange.onnx.reader.layout import LayoutWarning
from pellucid.interchange.onnx.reader.load import load, output_names
from pellucid.interchange.onnx.save import save

__all__ = ["LayoutWarning", "load", "output_names", "save"]


def __dir__() -> list[str]:
    return __all__
