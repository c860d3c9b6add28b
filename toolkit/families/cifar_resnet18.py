"""ResNet-18 at the size of CIFAR images (32 x 32), narrow enough to train on a CPU.

Source: He et al., CVPR 2016, in the usual CIFAR form: 3 x 3 stem without pool, four stages of two basic blocks.
Widths are chosen here: a quarter of the original's (16-32-64-128). The stem has stride 2, since digits are
28 x 28 gray pictures: a quarter of the work at the same accuracy.
"""

from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inner != outer:
            self.shortcut = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))

    def forward(self, maps: Tensor) -> Tensor:
        """Map [B,inner,h,w] -> [B,outer,h/stride,w/stride]."""
        inside = self.relu(self.bn1(self.conv1(maps)))
        out: Tensor = self.relu(self.bn2(self.conv2(inside)) + self.shortcut(maps))
        return out


def build(channels: int, classes: int) -> nn.Module:
    """Build the network: [B,channels,32,32] -> [B,classes].

    Cuts: early layer1 (16 x 16 x 16), middle layer2 (32 x 8 x 8), late layer3 (64 x 4 x 4).
    """
    network = nn.Sequential()
    stem = nn.Sequential(nn.Conv2d(channels, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    network.add_module("stem", stem)
    inner = 16
    for number, (width, stride) in enumerate(((16, 1), (32, 2), (64, 2), (128, 2)), start=1):
        stage = nn.Sequential(BasicBlock(inner, width, stride), BasicBlock(width, width, 1))
        network.add_module(f"layer{number}", stage)
        inner = width
    network.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc", nn.Linear(inner, classes))
    return network
