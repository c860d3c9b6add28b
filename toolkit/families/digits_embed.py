"""An embedding network small enough to train on the digits: near points are the same digit.

Source: as digits_resnet, with unit vectors at its end as in Schroff et al., "FaceNet", CVPR 2015.
"""

from torch import Tensor, nn
from torch.nn import functional

from . import digits_resnet

_LENGTH = 32


class DigitsEmbed(nn.Module):
    """digits_resnet up to its pooling, then a unit vector."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*list(digits_resnet.build(channels, 2).children())[:-1])
        self.point = nn.Linear(64, _LENGTH)

    def forward(self, image: Tensor) -> Tensor:
        """[B,channels,28,28] -> unit vectors [B,32]."""
        return functional.normalize(self.point(self.trunk(image)), dim=1)


def build(channels: int, classes: int) -> nn.Module:
    """Images [B,channels,28,28] -> unit vectors [B,32]; cut points trunk.0 to trunk.5."""
    return DigitsEmbed(channels)
