"""Backbone and block joined into the module that is exported."""

from typing import Self

from torch import Tensor, nn
from torch.fx import GraphModule


class Head(nn.Module):
    """image [B,C,H,W] (and eps) -> protected smashed features [B,c,h,w]."""

    def __init__(self, backbone: nn.Module, block: nn.Module | None) -> None:
        super().__init__()
        self.backbone = backbone
        self.block = block

    def forward(self, image: Tensor, eps: Tensor | None = None) -> Tensor:
        """Map image [B,C,H,W] and eps [B,...] or None -> smashed features [B,c,h,w]."""
        smashed: Tensor = self.backbone(image)
        if self.block is None:
            return smashed
        protected: Tensor = self.block(smashed) if eps is None else self.block(smashed, eps)
        return protected

    def train(self, mode: bool = True) -> Self:
        """Pass the mode on, except to graphs: theirs was fixed when they were exported, and some refuse to be told."""
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
