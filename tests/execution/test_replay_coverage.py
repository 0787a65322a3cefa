"""Networks of every commonly used layer are captured, and their replay gives the same bits."""

import pytest

from kernels import numbers
from pellucid import layers as nn
from pellucid.execution.capture import AFTER
from replaying import equal, pair, step

pytestmark = pytest.mark.usefixtures("on_compiled")


def u_net(C=8):
    down = nn.Sequential(
        nn.MaxPool2d(2), nn.Conv2d(C, 2 * C, 3, padding=1), nn.GroupNorm(4, 2 * C), nn.GELU(),
        nn.ConvTranspose2d(2 * C, C, 2, stride=2),
    )  # fmt: skip
    return nn.Sequential(
        nn.Conv2d(3, C, 3, padding=1), nn.InstanceNorm2d(C, affine=True), nn.SiLU(),
        nn.Concat({"down": down, "across": nn.Identity()}), nn.Conv2d(2 * C, 2, 1),
    )  # fmt: skip


NETWORKS = {
    "as in airbench": lambda: nn.Sequential(
        nn.Conv2d(3, 12, 2), nn.GELU(), nn.Conv2d(12, 16, 3, padding=1), nn.MaxPool2d(2),
        nn.BatchNorm2d(16), nn.GELU(), nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16),
        nn.GELU(), nn.MaxPool2d(3), nn.Flatten(), nn.Linear(64, 10),
    ),
    "average pooling": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(8, 16, 3), nn.AvgPool2d(3, 1, 1),
        nn.AdaptiveAvgPool2d((2, 1)), nn.Flatten(), nn.Linear(32, 5),
    ),
    "layer norm": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2), nn.LayerNorm((8, 6, 6)), nn.Hardswish(), nn.Flatten(),
        nn.Linear(288, 20), nn.LayerNorm(20), nn.ELU(), nn.Linear(20, 3),
    ),
    "U-Net": u_net,
    "up and down": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.LeakyReLU(0.1), nn.Upsample(scale_factor=2),
        nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.Upsample(size=5, mode="bilinear"),
        nn.ConvTranspose2d(8, 9, 3, stride=2, output_padding=1), nn.Softplus(), nn.Dropout(0.2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("images", [2, 33])
def test_a_network_is_replayed(name, images):
    run, played = pair(NETWORKS[name])
    shape = (images, 3, 16, 16)
    for i in range(AFTER + 3):
        assert equal(step(*run, numbers(shape, i)), step(*played, numbers(shape, i)))
    assert played[1].captured == [shape]
