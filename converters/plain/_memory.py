"""Tensors in the usual order of memory: another one says nothing of their values and confuses converters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.fx import GraphModule

#: operators that may do no more than move a tensor to another order of memory
_MOVES = {"aten.contiguous.default", "aten.clone.default", "aten._to_copy.default", "aten.to.dtype"}


def in_order(module: GraphModule) -> bool:
    """Bring weights from channels_last into the usual order, in place, and ask for no other order later on.

    ExecuTorch's passes refuse graphs whose weights or features lie otherwise. Returns whether any did.
    """
    import torch

    found = False
    for path, value in [*module.named_parameters(), *module.named_buffers()]:
        if not value.is_contiguous():
            _set(module, path, value)
            found = True
    for node in module.graph.nodes:
        if str(node.target) in _MOVES and node.kwargs.get("memory_format") == torch.channels_last:
            node.kwargs = {**node.kwargs, "memory_format": torch.contiguous_format}
            found = True
    if found:
        for node in module.graph.nodes:
            if node.target == torch.ops.aten.view.default:  # it was a view of the other order
                node.target = torch.ops.aten.reshape.default
        module.recompile()
    return found


def _set(module: nn.Module, path: str, value: Tensor) -> None:
    """Replace a weight by its copy; the user's own network, which shares it, stays as it is."""
    import torch

    owner, _, name = path.rpartition(".")
    home = module.get_submodule(owner)
    made: Tensor = value.detach().contiguous()
    if isinstance(value, torch.nn.Parameter):
        made = torch.nn.Parameter(made, requires_grad=value.requires_grad)
    setattr(home, name, made)
