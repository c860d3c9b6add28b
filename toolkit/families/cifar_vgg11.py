"""VGG-11 with batch normalisation at the size of CIFAR images (32 x 32), narrow enough to train on a CPU.

Source: Simonyan and Zisserman, ICLR 2015, configuration A. Widths are chosen here: a quarter of the original's
(16-32-64-64-128-128-128-128) with one linear layer, as is usual on CIFAR.
"""

from torch import nn

_PLAN: tuple[int | None, ...] = (16, None, 32, None, 64, 64, None, 128, 128, None, 128, 128, None)


def build(channels: int, classes: int) -> nn.Module:
    """Build the network: [B,channels,32,32] -> [B,classes].

    Cuts: early features.3 (16 x 16 x 16), middle features.7 (32 x 8 x 8), late features.14 (64 x 4 x 4).
    """
    layers: list[nn.Module] = []
    width = channels
    for step in _PLAN:
        if step is None:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(width, step, 3, padding=1), nn.BatchNorm2d(step), nn.ReLU()]
        width = step
    network = nn.Sequential()
    network.add_module("features", nn.Sequential(*layers))
    network.add_module("flatten", nn.Flatten())
    network.add_module("classifier", nn.Linear(width, classes))
    return network
