"""AlexNet: Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.

This is the single-tower form of Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep
convolutional neural networks", 2012.
"""

from __future__ import annotations

from pellucid import layers as nn
from pellucid.models.registry import register, widened
from pellucid.types import Shape

_SMALLEST_FOR_LARGE = 63


@register
def alexnet(
    input_shape: Shape,
    classes: int,
    width: float = 1.0,
    dropout: float = 0.5,
    small_images: bool | None = None,
) -> nn.Sequential:
    """Build AlexNet: five convolutions, three linear layers, dropout before the first two.

    For images of at least 63×63, it equals torchvision's layer for layer, with the same parameter
    names. For smaller images, the first convolution is 3×3 with stride 1 instead of 11×11 with
    stride 4, and the linear layers see 2×2 instead of 6×6 positions.

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image, at least 15×15.
    classes
        Number of classes.
    width
        Factor on the paper's numbers of channels and units: 64, 192, 384, 256, 256, 4096, 4096.
    dropout
        Dropout probability in the linear layers. Default: 0.5.
    small_images
        Whether to use the form for small images; by default, depends on the size.

    Examples
    --------
    >>> list(alexnet((3, 224, 224), 1000).named_parameters())[:4]
    ['features.0.weight', 'features.0.bias', 'features.3.weight', 'features.3.bias']
    """
    a, b, c, d, e, f, g = (widened(n, width) for n in (64, 192, 384, 256, 256, 4096, 4096))
    small = min(input_shape[-2:]) < _SMALLEST_FOR_LARGE if small_images is None else small_images
    first = nn.Conv2d(input_shape[0], a, 11, stride=4, padding=2)
    if small:
        first = nn.Conv2d(input_shape[0], a, 3, padding=1)
    features = nn.Sequential(
        *(first, nn.ReLU(), nn.MaxPool2d(3, stride=2)),
        *(nn.Conv2d(a, b, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
        *(nn.Conv2d(b, c, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(c, d, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(d, e, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
    )
    positions = 2 if small else 6
    return nn.Sequential(
        features=features,
        avgpool=nn.AdaptiveAvgPool2d(positions),
        flatten=nn.Flatten(),
        classifier=nn.Sequential(
            *(nn.Dropout(dropout), nn.Linear(e * positions**2, f), nn.ReLU()),
            *(nn.Dropout(dropout), nn.Linear(f, g), nn.ReLU()),
            nn.Linear(g, classes),
        ),
    )
