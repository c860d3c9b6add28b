"""Rewrites an exported head so that XNNPACK's partitioner takes all of it: same values, other operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Graph, GraphModule, Node
    from torch.fx.passes.infra.pass_base import PassResult

#: floats of this size are whole numbers; 1.5 * 2**23, so that negative numbers stay in the same binade
_NO_FRACTION = 12582912.0

#: what makes floats of codes of one scale
_DECODES = "quantized_decomposed.dequantize_per_tensor"


def delegable(program: ExportedProgram) -> ExportedProgram:
    """Rewrite, in place, what would be left to portable kernels. Returns the same program.

    - hardsigmoid (MobileNetV3's squeeze-and-excite) has no XNNPACK form, and torch's own decomposition adds
      the integers 3 and 6, which end as casts outside the delegate; it becomes clamp(x + 3.0, 0, 6) / 6.0.
    - round (of a head that emits codes) has no XNNPACK form either; adding 1.5 * 2**23 leaves no bits behind the point,
      so the sum is rounded half to even, and subtracting it again is exact.
    - a product of matrices of rank 4 is decomposed into expand_copy, which has no XNNPACK form, and bmm; where nothing
      broadcasts, it becomes bmm between two reshapes, which XNNPACK's own kernels get right.
    - any other integer constant beside a float tensor becomes a float, for the same reason.
    - copies that nothing tells from the original go, so that `decoded_for_each` sees who reads what.
    """
    import torch

    aten = torch.ops.aten
    arithmetic = {aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor}
    for node in list(program.graph.nodes):
        if node.target in {aten.hardsigmoid.default, aten.hardsigmoid_.default}:
            _spell_out_hardsigmoid(node)
        elif node.target == aten.round.default:
            _spell_out(node, [(aten.add.Tensor, (_NO_FRACTION,)), (aten.sub.Tensor, (_NO_FRACTION,))])
        elif node.target == aten.clone.default and _lie_alike(node):
            node.replace_all_uses_with(node.args[0])
            program.graph.erase_node(node)
        elif node.target == aten.matmul.default:
            _without_expansion(node)
        elif node.target in arithmetic and node.meta["val"].is_floating_point():
            node.args = tuple(float(value) if type(value) is int else value for value in node.args)
    program.graph_module.recompile()
    return program


def decoded_for_each(module: GraphModule) -> PassResult:
    """Decode codes once for each operator that reads them, in an edge program before it is divided.

    Where one reader of the same decoded codes is inside of a delegate and another one outside, XNNPACK's
    ChannelsLastTaggedReshapePass hands out the one's layout as the other's, and the runtime refuses to run the file.
    """
    from torch.fx.passes.infra.pass_base import PassResult

    decoded = [node for node in module.graph.nodes if _DECODES in str(node.target) and len(node.users) > 1]
    for node in decoded:
        for user in list(node.users)[1:]:
            with module.graph.inserting_after(node):
                copy = module.graph.node_copy(node)
            user.replace_input_with(node, copy)
    module.recompile()
    return PassResult(module, bool(decoded))


def padded_codes(module: GraphModule) -> PassResult:
    """Say of decoded codes with zeros around them that they are codes still, in an edge program before it is divided.

    XNNPACK's own InsertPadQDQPass says so too, but hides the decoding: where zeros are the last thing in a delegate, or
    what reads them computes in floats, the runtime then refuses to load the file.
    """
    from executorch.exir.dialects._ops import ops
    from torch.fx.passes.infra.pass_base import PassResult

    codes = ops.edge.quantized_decomposed
    pads = [node for node in module.graph.nodes if node.target == ops.edge.aten.constant_pad_nd.default]
    found = False
    for pad in pads:
        value, amounts, filling = pad.args[0], pad.args[1], pad.args[2] if len(pad.args) > 2 else 0
        coded = any("quantize_per_tensor" in str(user.target) for user in pad.users)
        if value.target != codes.dequantize_per_tensor.default or coded or filling != 0 or min(amounts) < 0:
            continue
        how, readers = value.args[1:], list(pad.users)
        with module.graph.inserting_after(pad):
            encoded = module.graph.call_function(codes.quantize_per_tensor.default, (pad, *how))
        with module.graph.inserting_after(encoded):
            decoded = module.graph.call_function(codes.dequantize_per_tensor.default, (encoded, *how))
        encoded.meta = {**pad.meta, "val": pad.meta["val"].to(how[-1])}
        decoded.meta = dict(pad.meta)
        for reader in readers:
            reader.replace_input_with(pad, decoded)
        found = True
    module.recompile()
    return PassResult(module, found)


def _spell_out_hardsigmoid(node: Node) -> None:
    import torch

    aten = torch.ops.aten
    _spell_out(node, [(aten.add.Tensor, (3.0,)), (aten.clamp.default, (0.0, 6.0)), (aten.div.Tensor, (6.0,))])


def _without_expansion(node: Node) -> None:
    """Products [*batch,n,k] x [*batch,k,m] of rank 4 and more, through rank 3."""
    import torch

    operands = [node.args[0], node.args[1]]  # the same one twice, for a Gram matrix
    first, second = (operand.meta["val"] for operand in operands)  # type: ignore[union-attr]
    if first.dim() < 4 or first.shape[:-2] != second.shape[:-2]:
        return
    graph, made, reshape = node.graph, node.meta["val"], torch.ops.aten.reshape.default
    with graph.inserting_before(node):
        flat = []
        for operand, whole in zip(operands, (first, second), strict=True):
            value = whole.flatten(0, -3)
            flat.append(_call(graph, node, reshape, (operand, list(value.shape)), value))
        product = _call(graph, node, torch.ops.aten.bmm.default, tuple(flat), made.flatten(0, -3))
        result = _call(graph, node, reshape, (product, list(made.shape)), made)
    node.replace_all_uses_with(result)
    graph.erase_node(node)


def _lie_alike(copy: Node) -> bool:
    """Whether a copy lies in memory as its original does."""
    (original,) = copy.all_input_nodes
    before, after = (node.meta.get("val") for node in (original, copy))
    return before is not None and after is not None and before.stride() == after.stride()


def _call(graph: Graph, like: Node, target: Callable[..., Any], arguments: tuple[Any, ...], value: Tensor) -> Node:
    node = graph.call_function(target, arguments)
    node.meta = {**like.meta, "val": value}
    return node


def _spell_out(node: Node, steps: Sequence[tuple[Callable[..., Any], tuple[float, ...]]]) -> None:
    graph = node.graph
    (value,) = node.all_input_nodes
    with graph.inserting_before(node):
        for target, arguments in steps:
            value = graph.call_function(target, (value, *arguments))
            value.meta = dict(node.meta)
    node.replace_all_uses_with(value)
    graph.erase_node(node)
