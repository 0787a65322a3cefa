"""Import torchvision's models, which need none of its compiled operators.

These operators are built for one build of PyTorch. With another build they are missing, and
torchvision can only be imported if operators with their names are defined.
"""

import torch

try:
    from torchvision import models
except RuntimeError:  # the operator torchvision::nms does not exist
    for _name in ("nms", "qnms"):
        torch.library.define(
            f"torchvision::{_name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        )
    from torchvision import models

__all__ = ["models"]
