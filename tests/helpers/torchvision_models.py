"""torchvision's models, which need none of its compiled operators.

Those operators are built for one build of PyTorch. With another they are not there, and torchvision
cannot be imported before something has their names.
"""

import torch

try:
    from torchvision import models
except RuntimeError:  # operator torchvision::nms does not exist
    for _name in ("nms", "qnms"):
        torch.library.define(
            f"torchvision::{_name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        )
    from torchvision import models

__all__ = ["models"]
