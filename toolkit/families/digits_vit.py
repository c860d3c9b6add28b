"""A vision transformer small enough to train on the digits in a minute or two of one CPU core.

Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, at a depth of 4 and a width of 64, with a
convolutional stem as in Xiao et al., "Early Convolutions Help Transformers See Better", NeurIPS 2021, which so small a
transformer needs. Attention is written out, so that every exporter sees plain products and a softmax.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_WIDTH, _HEADS, _DEPTH = 64, 4, 4


class Attention(nn.Module):
    """Scaled dot-product attention over the tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B,N,C] -> [B,N,C]."""
        count, width = tokens.shape[1], tokens.shape[2]
        parts = self.qkv(tokens).reshape(-1, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = parts[0], parts[1], parts[2]
        weights = torch.softmax(query @ key.transpose(-2, -1) * (width // self.heads) ** -0.5, dim=-1)
        mixed: Tensor = self.out((weights @ value).transpose(1, 2).reshape(-1, count, width))
        return mixed


class Block(nn.Module):
    """Attention and a perceptron, each behind a layer norm and beside a skip."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B,N,C] -> [B,N,C]."""
        tokens = tokens + self.attention(self.norm1(tokens))
        result: Tensor = tokens + self.narrow(functional.gelu(self.wide(self.norm2(tokens))))
        return result


class DigitsVit(nn.Module):
    """7 x 7 tokens of a 28 x 28 image and a class token in front."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, _WIDTH, 3, 2, 1))
        self.class_token = nn.Parameter(torch.zeros(1, 1, _WIDTH))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 50, _WIDTH))
        self.blocks = nn.ModuleList(Block(_WIDTH, _HEADS) for _ in range(_DEPTH))
        self.norm = nn.LayerNorm(_WIDTH)
        self.head = nn.Linear(_WIDTH, classes)

    def forward(self, image: Tensor) -> Tensor:
        """[B,channels,28,28] -> [B,classes]."""
        tokens = self.stem(image).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(tokens.shape[0], -1, -1), tokens], 1) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.head(self.norm(tokens)[:, 0])
        return logits


def build(channels: int, classes: int) -> nn.Module:
    """Images [B,channels,28,28] -> logits [B,classes]; cut points stem, blocks.0 ... blocks.3 (50 tokens of 64)."""
    return DigitsVit(channels, classes)
