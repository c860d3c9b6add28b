"""Backbone and block joined into the module that is exported."""

from typing import Self

from torch import Tensor, nn
from torch.fx import GraphModule


class Head(nn.Module):
    """image [B,C,H,W] (and eps) -> protected smashed features [B,c,h,w], or their codes."""

    def __init__(self, backbone: nn.Module, block: nn.Module | None, codes: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.block = block
        self.codes = codes

    def forward(self, image: Tensor, eps: Tensor | None = None) -> Tensor:
        """Map image [B,C,H,W] and eps [B,...] or None -> smashed features [B,c,h,w], or their codes."""
        smashed: Tensor = self.backbone(image)
        if self.block is not None:
            smashed = self.block(smashed) if eps is None else self.block(smashed, eps)
        return smashed if self.codes is None else self.codes(smashed)

    def train(self, mode: bool = True) -> Self:
        """Pass the mode on, except to graphs: theirs was fixed when they were exported; some refuse to change it."""
        self.training = mode
        for half in (self.backbone, self.block):
            if half is not None and not isinstance(half, GraphModule):
                half.train(mode)
        return self


class NamedOutput(nn.Module):
    """The head with its output in a dictionary, for formats that take the tensors' names from there."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, image: Tensor, eps: Tensor | None = None) -> dict[str, Tensor]:
        """As the head, with its output under the name `smashed`."""
        return {"smashed": self.head(image) if eps is None else self.head(image, eps)}
