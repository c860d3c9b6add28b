"""A ResNet small enough to train on the digits in a minute of one CPU core: the demo's network."""

from collections import OrderedDict

from torch import Tensor, nn


class Residual(nn.Module):
    """Two 3x3 convolutions with a skip; the first may halve the resolution."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU()
        same = stride == 1 and channels == out
        project = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.skip = nn.Identity() if same else project

    def forward(self, x: Tensor) -> Tensor:
        """[B,channels,H,W] -> [B,out,H/stride,W/stride]."""
        inner = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        result: Tensor = self.relu(inner + self.skip(x))
        return result


def build(channels: int, classes: int) -> nn.Module:
    """Images [B,channels,28,28] -> logits [B,classes]; cut points stem, layer1, layer2, layer3."""
    return nn.Sequential(
        OrderedDict(
            stem=nn.Sequential(nn.Conv2d(channels, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
            layer1=Residual(16, 16, 1),
            layer2=Residual(16, 32, 2),
            layer3=Residual(32, 64, 2),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(64, classes),
        )
    )
