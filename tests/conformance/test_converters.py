"""Every target in converters/, found by its file name, keeps the same promises on the same small head."""

from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
import torch
from converter_cases import Case, Made, cases, digits, eager, feed, runnable, small_head, sqnr_db
from torch import nn

from converters.base import ConverterError
from toolkit.lint.report import examine
from toolkit.lint.rules import load_backends
from toolkit.records.bundle import Head

pytestmark = pytest.mark.slow

#: least SQNR in dB; a bit is worth 6 dB: full precision is held to an absolute error instead, below
LEAST_SQNR = {"fp32": 100.0, "fp16": 50.0, "int8": 35.0, "w8": 40.0, "w6": 35.0, "w4": 24.0}


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Convert each case once for all tests, and watch that nothing is printed meanwhile."""
    done: dict[Case, Made] = {}

    def convert(case: Case) -> Made:
        if case not in done:
            folder = tmp_path_factory.mktemp(str(case))
            conversion = case.converter().convert(small_head(), folder, precision=case.precision, backend=case.backend)
            done[case] = Made(case, folder, conversion)
        return done[case]

    return convert


@pytest.mark.parametrize("case", cases(), ids=str)
def test_a_conversion_is_silent_and_describes_what_it_wrote(case, made, capfd):
    result = made(case)
    assert capfd.readouterr() == ("", "")
    assert result.entry.exists()
    assert {spec.name: spec.shape for spec in result.conversion.inputs} == {
        "image": (1, 1, 28, 28),
        "eps": (1, 16, 14, 14),
    }
    assert [(spec.name, spec.shape, spec.dtype) for spec in result.conversion.outputs] == [
        ("smashed", (1, 16, 14, 14), "float32")
    ]
    assert result.conversion.tools["torch"] == torch.__version__
    assert (result.conversion.not_run is None) == (case in runnable())


@pytest.mark.parametrize("case", runnable(), ids=str)
def test_a_head_gives_eager_torchs_numbers_whatever_the_order_of_its_inputs(case, made, capfd):
    runner = case.converter().load(made(case).entry)
    head = small_head()
    capfd.readouterr()
    for image in digits(20)[:5]:
        inputs = feed(replace(head, image=image))
        found = runner.run(dict(reversed(inputs.items())))
        expected = eager(head, inputs)
        assert found.shape == expected.shape
        assert sqnr_db(expected, found) >= LEAST_SQNR[case.precision]
        if case.precision == "fp32":
            assert np.abs(found - expected).max() <= 1e-4
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("case", runnable(), ids=str)
def test_no_backend_is_known_to_get_a_head_of_ours_wrong(case, made):
    operators = case.converter().operators(made(case).entry)
    for backend in load_backends():
        if backend.target == case.target and operators is not None:
            row = examine(operators, backend, as_record(case), version=version(backend.runtime), how="rules")
            assert [each.rule for each in row.findings if each.consequence == "known-wrong"] == [], backend.name


def as_record(case: Case) -> Head:
    return Head(
        target=case.target, precision=case.precision, backend=case.backend, entry="head/x", files=[], inputs=[],
        outputs=[], ops_delegated=None, ops_total=None, not_run=None, tools={},
    )  # fmt: skip


@pytest.mark.parametrize("case", runnable(), ids=str)
def test_two_draws_of_noise_give_two_outputs(case, made):
    runner = case.converter().load(made(case).entry)
    first = feed(small_head())
    second = first | {"eps": np.random.default_rng(3).standard_normal(first["eps"].shape, dtype=np.float32)}
    found = runner.run(second) - runner.run(first)
    expected = eager(small_head(), second) - eager(small_head(), first)
    # the change itself is that of eager torch: noise that is weaker, or clipped, or in the wrong place, is not
    assert sqnr_db(expected, found) >= LEAST_SQNR[case.precision] - 6
    assert np.abs(found).mean() > 0.1


@pytest.mark.parametrize("case", [case for case in runnable() if case.precision == "int8"], ids=str)
def test_int8_leaves_extreme_noise_unclipped(case, made):
    inputs = feed(small_head())
    inputs["eps"] = np.clip(10 * inputs["eps"], -6, 6)  # six sigma nearly everywhere
    found = case.converter().load(made(case).entry).run(inputs)
    assert sqnr_db(eager(small_head(), inputs), found) >= LEAST_SQNR["int8"]


@pytest.mark.parametrize("case", [case for case in runnable() if case.precision == "int8"], ids=str)
def test_int8_reaches_as_far_as_the_brightest_photo_it_has_seen(case, tmp_path):
    images = [0.3 * image for image in digits(20)]
    images[7] = digits(20)[7]
    head = replace(small_head(), block=None, eps=None, calibration=images)
    conversion = case.converter().convert(head, tmp_path, precision="int8", backend=case.backend)
    found = case.converter().load(tmp_path / conversion.entry).run(feed(head))
    assert sqnr_db(eager(head, feed(head)), found) >= LEAST_SQNR["int8"]


@pytest.mark.parametrize("case", [case for case in runnable() if case.precision == "fp32"], ids=str)
def test_wrong_inputs_are_refused_in_one_sentence(case, made):
    runner = case.converter().load(made(case).entry)
    inputs = feed(small_head())
    with pytest.raises(ConverterError, match="takes the inputs"):
        runner.run({"image": inputs["image"]})
    with pytest.raises(ConverterError, match="Input image has shape"):
        runner.run(inputs | {"image": inputs["image"][..., :27]})


@pytest.mark.parametrize("case", [case for case in cases() if case.precision == "fp32"], ids=str)
def test_a_damaged_file_is_refused_in_one_sentence(case, tmp_path):
    damaged = tmp_path / "head.bin"
    damaged.write_bytes(b"not a model" * 100)
    with pytest.raises(ConverterError, match="again"):
        case.converter().load(damaged)


@pytest.mark.parametrize("case", [case for case in cases() if case.backend == case.converter().backends[0]], ids=str)
def test_unknown_choices_list_the_known_ones(case, tmp_path):
    converter = case.converter()
    with pytest.raises(ConverterError, match=converter.precisions[0]):
        converter.convert(small_head(), tmp_path, precision="int3", backend=case.backend)
    with pytest.raises(ConverterError, match=converter.backends[0]):
        converter.convert(small_head(), tmp_path, precision=case.precision, backend="abacus")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("case", [case for case in cases() if case.precision == "int8"], ids=str)
def test_int8_without_images_is_refused(case, tmp_path):
    with pytest.raises(ConverterError, match="images to calibrate"):
        case.converter().convert(
            replace(small_head(), calibration=()), tmp_path, precision="int8", backend=case.backend
        )


@pytest.mark.parametrize("case", [c for c in runnable() if c.precision == "fp32" and c.backend != "portable"], ids=str)
def test_a_head_without_protection_takes_the_image_alone(case, tmp_path):
    plain = replace(small_head(), block=None, eps=None)
    conversion = case.converter().convert(plain, tmp_path, precision="fp32", backend=case.backend)
    assert [spec.name for spec in conversion.inputs] == ["image"]
    found = case.converter().load(tmp_path / conversion.entry).run(feed(plain))
    assert np.abs(found - eager(plain, feed(plain))).max() <= 1e-4


class Spectrum(nn.Module):
    """A layer that no phone runtime has."""

    def forward(self, image):
        return torch.linalg.eigvalsh(image @ image.transpose(2, 3)).unsqueeze(2)


@pytest.mark.parametrize("case", [c for c in cases() if c.precision == "fp32" and c.backend != "portable"], ids=str)
def test_what_a_format_cannot_express_is_said_in_one_sentence(case, tmp_path, capfd):
    if case.backend in {"coreml", "vulkan"}:
        pytest.skip("a delegate leaves unknown operators to the portable kernels, as xnnpack does")
    head = replace(small_head(), backbone=Spectrum(), block=None, eps=None)
    with pytest.raises(ConverterError, match=r"^This head cannot be expressed as .* choose another cut") as caught:
        case.converter().convert(head, tmp_path, precision="fp32", backend=case.backend)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
