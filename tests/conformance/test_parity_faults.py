"""Faults that exporters and people really make, planted in real files: verify finds each one and names it."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import parity_bundle
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from cloud_tail.client import TailClient
from toolkit.bundle import Bundle
from toolkit.package.serving import serving
from toolkit.records.parity import ParityReport, ParityRow
from toolkit.verify.explain import Explanation, explain
from toolkit.verify.report import verify

pytestmark = pytest.mark.slow


@pytest.fixture
def clean() -> Bundle:
    return parity_bundle.shared()


@pytest.fixture
def bundle(clean: Bundle, tmp_path: Path) -> Bundle:
    return parity_bundle.copy_of(clean, tmp_path / "bundle")


def row(report: ParityReport, where: str, target: str = "onnx", precision: str = "fp32") -> ParityRow:
    return next(r for r in report.rows if (r.where, r.target, r.precision) == (where, target, precision))


def explained(bundle: Bundle, target: str, precision: str) -> str:
    head = next(h for h in bundle.manifest.heads if (h.target, h.precision) == (target, precision))
    return explain(bundle, head).first


def edited(bundle: Bundle, precision: str, edit) -> None:
    """Change the .onnx file itself."""
    model = onnx.load(parity_bundle.entry_of(bundle, "onnx", precision))
    edit(model.graph)
    parity_bundle.replace_file(bundle, "onnx", precision, model.SerializeToString())


def reconverted(bundle: Bundle, target: str, precision: str, damage) -> ParityReport:
    with parity_bundle.faulty_converter(target, damage):
        parity_bundle.with_head(bundle, target, precision)
    return verify(bundle, None, targets=[target])


class WithEps(nn.Module):
    """A block that uses a share of eps only."""

    def __init__(self, block: nn.Module, share: float) -> None:
        super().__init__()
        self.block, self.share = block, share

    def forward(self, smashed: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
        return self.block(smashed, eps * self.share)


class Misread(nn.Module):
    """A backbone that reads its image in another way."""

    def __init__(self, backbone: nn.Module, how: str) -> None:
        super().__init__()
        self.backbone, self.how = backbone, how

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.how == "BGR":
            return self.backbone(torch.flip(image, [1]))
        n, c, h, w = image.shape
        return self.backbone(image.reshape(n, h, w, c).permute(0, 3, 1, 2).contiguous())


def test_a_clean_bundle_passes_on_all_levels(clean: Bundle):
    with serving(clean) as url, TailClient(url, bundle_id=clean.manifest.bundle_id) as tail:
        report = verify(clean, tail)
    assert [r for r in report.rows if r.passed is not True] == []
    assert {r.level for r in report.rows} == {"numeric", "privacy", "task"}
    assert report.passed
    task = row(report, "task")
    assert task.top1_agree == 1.0
    assert task.top1_agree_interval[0] > 0.9
    assert task.n >= 64


@pytest.mark.parametrize(
    ("share", "strength", "named"), [(0.0, 0.0, "eps is ignored"), (0.5, 0.5, "0.5 of its strength: sigma is wrong")]
)
def test_weakened_noise(bundle: Bundle, share: float, strength: float, named: str):
    report = reconverted(bundle, "onnx", "fp32", lambda head: replace(head, block=WithEps(head.block, share)))
    noise = row(report, "noise")
    assert noise.passed is False
    assert named in noise.note
    assert not report.passed


def test_slightly_weakened_noise_fails_although_every_class_stays(bundle: Bundle):
    with parity_bundle.faulty_converter("onnx", lambda head: replace(head, block=WithEps(head.block, 0.95))):
        parity_bundle.with_head(bundle, "onnx", "fp32")
    with serving(bundle) as url, TailClient(url, bundle_id=bundle.manifest.bundle_id) as tail:
        report = verify(bundle, tail)
    assert row(report, "end-to-end").top1_agree == 1.0
    weak = row(report, "noise")
    assert weak.passed is False
    assert "0.95 of its strength" in weak.note
    assert row(report, "noise", precision="int8").passed


def test_permuted_weights_of_one_convolution(bundle: Bundle):
    def edit(graph):
        (weights,) = [w for w in graph.initializer if list(w.dims) == [16, 8, 3, 3]]
        weights.CopyFrom(numpy_helper.from_array(np.roll(numpy_helper.to_array(weights), 3, 0).copy(), weights.name))

    edited(bundle, "fp32", edit)
    assert row(verify(bundle, None), "head").passed is False
    first = explained(bundle, "onnx", "fp32")
    assert "conv2d" in first
    assert "backbone.1.0" in first


def test_softmax_over_the_wrong_axis(bundle: Bundle):
    def edit(graph):
        (node,) = [n for n in graph.node if n.op_type == "Softmax"]
        del node.attribute[:]
        node.attribute.append(onnx.helper.make_attribute("axis", 1))

    edited(bundle, "fp32", edit)
    report = verify(bundle, None)
    assert row(report, "head").passed is False
    assert row(report, "noise").passed is False
    assert "softmax at block.attention" in explained(bundle, "onnx", "fp32")


@pytest.mark.parametrize(("how", "named"), [("BGR", "red and blue are swapped"), ("NHWC", "image is read in another")])
def test_misread_image(bundle: Bundle, how: str, named: str):
    report = reconverted(bundle, "onnx", "fp32", lambda head: replace(head, backbone=Misread(head.backbone, how)))
    head = row(report, "head")
    assert head.passed is False
    assert named in head.note


def test_half_precision_overflow(bundle: Bundle):
    class Loud(nn.Module):
        def __init__(self, backbone: nn.Module) -> None:
            super().__init__()
            self.backbone = backbone

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.backbone(image) * 60000.0 * 60000.0 / 3.6e9

    report = reconverted(bundle, "coreml", "fp16", lambda head: replace(head, backbone=Loud(head.backbone)))
    head = row(report, "head", "coreml", "fp16")
    assert head.passed is False
    assert "not finite" in head.note
    assert row(report, "noise", "coreml", "fp16").passed is False
    assert "not finite" in explained(bundle, "coreml", "fp16")


def test_quantisation_scale_off_by_two(bundle: Bundle):
    def edit(graph):
        conv = next(n for n in graph.node if n.op_type == "Conv")
        decode = next(n for n in graph.node if n.output[0] == conv.input[1])
        (scale,) = [w for w in graph.initializer if w.name == decode.input[1]]
        scale.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(scale), scale.name))

    edited(bundle, "int8", edit)
    assert row(verify(bundle, None), "head", precision="int8").passed is False
    first = explained(bundle, "onnx", "int8")
    assert "backbone.0" in first
    assert "conv2d" in first


def test_stale_bundle_id(bundle: Bundle):
    bundle.commit(bundle.manifest.model_copy(update={"labels": bundle.manifest.labels[::-1]}))
    with serving(bundle) as url, TailClient(url, bundle_id=bundle.manifest.bundle_id) as tail:
        report = verify(bundle, tail)
    (fault,) = [r for r in report.rows if r.target == "tail"]
    assert fault.passed is False
    assert "stale bundle_id" in fault.note
    assert bundle.manifest.bundle_id[:12] in fault.note
    assert not report.passed


def test_tail_of_another_cut(bundle: Bundle, tmp_path: Path):
    other = parity_bundle.build(tmp_path / "other", cut="0")
    with serving(other) as url, TailClient(url, bundle_id=bundle.manifest.bundle_id) as tail:
        report = verify(bundle, tail)
    (fault,) = [r for r in report.rows if r.target == "tail"]
    assert "tail of another cut" in fault.note
    assert "[-1, 8, 24, 24]" in fault.note
    assert not report.passed


def test_tail_with_other_weights_of_the_same_bundle(bundle: Bundle):
    """Nothing announces this one: the features agree, so what departs is the tail."""

    class Other:
        def __init__(self, tail: TailClient) -> None:
            self.signature, self._infer = tail.signature, tail.infer

        def infer(self, smashed: np.ndarray) -> np.ndarray:
            return self._infer(np.ascontiguousarray(smashed[:, ::-1]))

    with serving(bundle) as url, TailClient(url, bundle_id=bundle.manifest.bundle_id) as tail:
        report = verify(bundle, Other(tail), targets=["onnx"])
    assert row(report, "head").passed
    end = row(report, "end-to-end")
    assert end.passed is False
    assert "the tail" in end.note or "this tail" in end.note


def test_changed_file_is_refused(bundle: Bundle):
    from toolkit.errors import BundleError

    entry = parity_bundle.entry_of(bundle, "onnx", "fp32")
    entry.write_bytes(entry.read_bytes() + b"x")
    with pytest.raises(BundleError, match="was changed after it was made"):
        verify(bundle, None)


def permuted(head):
    """The head with the second convolution's channels in another order, as far as it reaches that far."""
    backbone = copy.deepcopy(head.backbone)
    with torch.no_grad():
        for weights in backbone.parameters():
            if weights.shape == (16, 8, 3, 3):
                weights.copy_(weights.roll(3, 0))
    return replace(head, backbone=backbone)


def with_louder(head, channel: int, gain: float):
    """The head with one channel of its first convolution too loud, as a wrong scale makes it."""
    backbone = copy.deepcopy(head.backbone)
    with torch.no_grad():
        weights = next(value for value in backbone.parameters() if value.dim() == 4)
        weights[channel] *= gain
    return replace(head, backbone=backbone)


def explained_fault(bundle: Bundle, precision: str, gain: float) -> Explanation:
    with parity_bundle.faulty_converter("executorch", partial(with_louder, channel=2, gain=gain)):
        parity_bundle.with_head(bundle, "executorch", precision)
        head = next(h for h in bundle.manifest.heads if (h.target, h.precision) == ("executorch", precision))
        return explain(bundle, head)


def test_executorch_is_explained_by_handing_out_every_result(bundle: Bundle):
    with parity_bundle.faulty_converter("executorch", permuted):
        parity_bundle.with_head(bundle, "executorch", "fp32")
        report = verify(bundle, None, targets=["executorch"])
        first = explained(bundle, "executorch", "fp32")
    assert row(report, "head", "executorch").passed is False
    assert "the first layer that departs is conv2d + batch_norm + relu at backbone.1.0" in first
    # the converter is right again: then it is the file that is wrong
    assert "not answer as a fresh conversion of the same head does" in explained(bundle, "executorch", "fp32")


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_executorch_names_a_fault_in_its_first_layer(bundle: Bundle, precision: str):
    found = explained_fault(bundle, precision, gain=8.0)
    assert "the first layer that departs is conv2d + batch_norm + relu at backbone.0.0" in found.first
    assert found.layers[0].departs
    assert {layer.module.partition(".")[0] for layer in found.layers} == {"backbone", "block"}


def test_executorch_names_the_first_layer_for_what_every_layer_loses(bundle: Bundle):
    found = explained_fault(bundle, "fp32", gain=1.001)
    assert not found.layers[0].departs
    assert "most was lost by conv2d + batch_norm + relu at backbone.0.0 (exact to" in found.first


def test_tflite_is_explained_by_its_own_tensors(bundle: Bundle):
    report = reconverted(bundle, "tflite", "fp32", permuted)
    assert row(report, "head", "tflite").passed is False
    first = explained(bundle, "tflite", "fp32")
    assert "backbone.1" in first
