"""AlexNet at the size of CIFAR images (32 x 32), narrow enough to train on a CPU in a minute.

Source: Krizhevsky et al., NeurIPS 2012, in the usual CIFAR form: 3 x 3 kernels, stride 1 after the first layer,
three pools. Widths are chosen here, 24-48-96-64-64 channels and 128 hidden units, about a quarter of the original's.
"""

from torch import nn


def build(channels: int, classes: int) -> nn.Module:
    """Build the network: [B,channels,32,32] -> [B,classes].

    Cuts: early features.2 (24 x 16 x 16), middle features.5 (48 x 8 x 8), late features.12 (64 x 4 x 4).
    """
    features = nn.Sequential(
        nn.Conv2d(channels, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(24, 48, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(48, 96, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(96, 64, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
    classifier = nn.Sequential(nn.Dropout(0.3), nn.Linear(64 * 16, 128), nn.ReLU(), nn.Linear(128, classes))
    return _Stacked(features, classifier)


class _Stacked(nn.Sequential):
    """Features, flatten, classifier, under the names that torchvision uses."""

    def __init__(self, features: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.add_module("features", features)
        self.add_module("flatten", nn.Flatten())
        self.add_module("classifier", classifier)
