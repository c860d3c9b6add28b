"""Whole networks and protected heads: what the evaluator reads out of a saved .mlpackage, against eager torch.

Errors are relative to the largest magnitude of the output: random networks give outputs of any scale.
"""

import functools
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from coreml_programs import ct
from torch import nn

from converters._quiet import quiet
from converters.base import HeadProgram
from converters.coreml_reference import load_program
from converters.to_coreml import ToCoreml
from toolkit.datasets._vision import torchvision
from toolkit.protections.pripro import PriPro

pytestmark = pytest.mark.slow

#: family -> how many leading blocks make its middle cut
MIDDLE_CUT = {
    "alexnet": 6,
    "vgg11_bn": 11,
    "vgg16": 17,
    "resnet18": 6,
    "resnet50": 6,
    "mobilenet_v3_small": 5,
    "efficientnet_b0": 4,
}


@functools.cache
def network(name: str) -> nn.Module:
    """A torchvision network with random weights, its batch norms calibrated: left as made, some outputs vanish."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(3)
        net = getattr(torchvision().models, name)(weights=None)
        norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = None  # average over all batches
        if norms:
            net.train()(torch.randn(8, 3, 96, 96))
    return net.eval()


def backbone(name: str) -> nn.Module:
    net = network(name)
    layers = list(net.children() if name.startswith("resnet") else net.features)
    return nn.Sequential(*layers[: MIDDLE_CUT[name]]).eval()


def protected(name: str, pixels: int) -> tuple[HeadProgram, np.ndarray]:
    """A protected head and eager torch's answer."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(5)
        image = torch.randn(1, 3, pixels, pixels)
        body = backbone(name)
        smashed = body(image)
        block = PriPro(tuple(smashed.shape[1:]), grid=7).eval()
        head = HeadProgram(body, block, image, torch.randn_like(smashed))
        return head, head.module()(*head.example()).numpy()


def save(
    module: nn.Module, image: torch.Tensor, folder: Path, *, half: bool = False, target: str = "iOS16", compress=None
):
    """Convert with coremltools and save; `compress` takes and returns the MLModel."""
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # coremltools and scikit-learn's clustering talk much; none of it is ours
        model = ct.convert(
            torch.jit.trace(module, image),
            inputs=[ct.TensorType("image", shape=tuple(image.shape))],
            outputs=[ct.TensorType("z", dtype=np.float32)],
            convert_to="mlprogram",
            minimum_deployment_target=getattr(ct.target, target),
            compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
            skip_model_load=True,
        )
        model = compress(model) if compress else model
        path = folder / "m.mlpackage"
        model.save(str(path))
    return path


def feed(head: HeadProgram) -> dict[str, np.ndarray]:
    return {"image": head.image.numpy(), "eps": head.eps.numpy()}


def relative(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.abs(got - want).max() / np.abs(want).max())


def sqnr_db(got: np.ndarray, want: np.ndarray) -> float:
    return float(10 * np.log10(np.square(want).sum() / np.square(got - want).sum()))


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn", "alexnet", "mobilenet_v3_small"])
def test_whole_network_in_float32(name, tmp_path):
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        want = network(name)(image).numpy()
    got = load_program(save(network(name), image, tmp_path)).run({"image": image.numpy()})
    assert got.shape == want.shape == (1, 1000)
    assert relative(got, want) <= 1e-5


def test_whole_network_in_float16(tmp_path):
    name = "resnet18"
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        want = network(name)(image).numpy()
    got = load_program(save(network(name), image, tmp_path, half=True)).run({"image": image.numpy()})
    assert relative(got, want) > 1e-5, "nothing was rounded"
    assert sqnr_db(got, want) >= 50


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        *((name, "fp32") for name in MIDDLE_CUT),
        *((name, "fp16") for name in ("alexnet", "resnet18", "mobilenet_v3_small")),
    ],
)
def test_protected_head(name, precision, tmp_path):
    head, want = protected(name, 64 if precision == "fp32" else 224)
    conversion = ToCoreml().convert(head, tmp_path, precision=precision, backend="mlprogram")
    program = load_program(tmp_path / conversion.entry)
    got = program.run(feed(head))
    if precision == "fp32":
        assert relative(got, want) <= 1e-5
    else:
        assert sqnr_db(got, want) >= 50
    other = program.run({**feed(head), "eps": -head.eps.numpy()})
    assert relative(other, want) > 1e-3, "eps changes nothing"


def test_protected_head_at_full_size_traces_every_tensor(tmp_path):
    head, want = protected("resnet18", 224)
    conversion = ToCoreml().convert(head, tmp_path, precision="fp32", backend="mlprogram")
    program = load_program(tmp_path / conversion.entry)
    assert relative(program.run(feed(head)), want) <= 1e-5
    trace = program.trace(feed(head))
    assert "conv" in {program.kind_of(name) for name in trace}
    smashed = backbone("resnet18")(head.image).detach().numpy()
    alike = [tensor for tensor in trace.values() if tensor.shape == smashed.shape]
    assert min(relative(tensor, smashed) for tensor in alike) <= 1e-5, "the smashed features are not in the trace"


def linear8(model, **options):
    optimize = ct.optimize.coreml
    config = optimize.OptimizationConfig(optimize.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=0))
    return optimize.linear_quantize_weights(model, config, **options)


def palette(model, bits, *, joint=False, **options):
    optimize = ct.optimize.coreml
    config = optimize.OpPalettizerConfig(mode="uniform", nbits=bits, weight_threshold=0, **options)
    return optimize.palettize_weights(model, optimize.OptimizationConfig(config), joint_compression=joint)


def pruned(model):
    optimize = ct.optimize.coreml
    config = optimize.OpMagnitudePrunerConfig(target_sparsity=0.5, weight_threshold=0)
    return optimize.prune_weights(model, optimize.OptimizationConfig(config))


COMPRESSED = {
    "8-bit linear, iOS 16": (linear8, "iOS16", "constexpr_affine_dequantize"),
    "8-bit linear, iOS 18": (linear8, "iOS18", "constexpr_blockwise_shift_scale"),
    "4-bit palette, iOS 16": (lambda m: palette(m, 4), "iOS16", "constexpr_lut_to_dense"),
    "6-bit palette, iOS 16": (lambda m: palette(m, 6), "iOS16", "constexpr_lut_to_dense"),
    "4-bit palette in groups, iOS 18": (
        lambda m: palette(m, 4, granularity="per_grouped_channel", group_size=8),
        "iOS18",
        "constexpr_lut_to_dense",
    ),
    "pruned, iOS 16": (pruned, "iOS16", "constexpr_sparse_to_dense"),
    "pruned, iOS 18": (pruned, "iOS18", "constexpr_sparse_to_dense"),
    "pruned 6-bit palette, iOS 18": (lambda m: palette(pruned(m), 6, joint=True), "iOS18", "constexpr_lut_to_sparse"),
    "pruned 8-bit linear, iOS 18": (
        lambda m: linear8(pruned(m), joint_compression=True),
        "iOS18",
        "constexpr_sparse_blockwise_shift_scale",
    ),
}


@pytest.mark.parametrize("kind", COMPRESSED)
def test_compressed_weights_against_coremltools_own_decompression(kind, tmp_path):
    """coremltools can write the same program with its weights decompressed: both must give the same answer."""
    compress, target, operator = COMPRESSED[kind]
    body = backbone("resnet18")
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    (tmp_path / "small").mkdir()
    path = save(body, image, tmp_path / "small", target=target, compress=compress)
    spec = ct.utils.load_spec(str(path))
    main = spec.mlProgram.functions["main"]
    assert operator in {operation.type for operation in main.block_specializations[main.opset].operations}
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        full = ct.optimize.coreml.decompress_weights(ct.models.MLModel(str(path), skip_model_load=True))
        full.save(str(tmp_path / "full.mlpackage"))
    feed = {"image": image.numpy()}
    got, same = load_program(path).run(feed), load_program(tmp_path / "full.mlpackage").run(feed)
    assert relative(got, same) <= 1e-5
    with torch.no_grad():
        assert relative(got, body(image).numpy()) > 1e-3, "nothing was compressed"
