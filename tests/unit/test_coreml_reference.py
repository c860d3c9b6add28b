"""The evaluator on hand-written programs: rounding, tracing, and what it refuses. coremltools is never imported."""

import inspect
import json
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from converters.base import ConverterError
from converters.coreml_reference import load_program
from converters.coreml_reference.ops import FUNCTIONS
from converters.coreml_reference.package import model_pb2
from converters.coreml_reference.program import Operation
from converters.coreml_reference.values import TensorType
from converters.coreml_reference.weights import decode, unpack_bits

FLOAT16, FLOAT32, INT32, STRING = 10, 11, 23, 2
COLUMN = np.zeros((2**15, 1), np.float32)


def set_type(proto, dtype, shape):
    proto.tensorType.dataType = dtype
    proto.tensorType.rank = len(shape)
    for size in shape:
        proto.tensorType.dimensions.add().constant.size = size


def constant(value):
    """A MIL Value of floats, integers or a text, as an immediate value."""
    made = model_pb2().Model().mlProgram.functions["f"].attributes["v"]
    tensor = made.immediateValue.tensor
    if isinstance(value, str):
        set_type(made.type, STRING, ())
        tensor.strings.values.append(value)
        return made
    array = np.asarray(value)
    if array.dtype.kind == "f":
        set_type(made.type, FLOAT32, array.shape)
        tensor.floats.values.extend(array.reshape(-1).tolist())
    else:
        set_type(made.type, INT32, array.shape)
        tensor.ints.values.extend(array.reshape(-1).tolist())
    return made


def blob(offset, dtype, shape, name="@model_path/weights/weight.bin"):
    """A MIL Value that lies in weight.bin."""
    made = model_pb2().Model().mlProgram.functions["f"].attributes["v"]
    set_type(made.type, dtype, shape)
    made.blobFileValue.fileName = name
    made.blobFileValue.offset = offset
    return made


class Draft:
    """A program in the making; `save` writes the package."""

    def __init__(self, *, dtype=FLOAT32, **inputs):
        self.model = model_pb2().Model()
        self.model.specificationVersion = 7
        self.dtype = dtype
        self.function = self.model.mlProgram.functions["main"]
        self.function.opset = "CoreML6"
        self.block = self.function.block_specializations["CoreML6"]
        self.weights = b""
        for name, shape in inputs.items():
            entry = self.function.inputs.add(name=name)
            set_type(entry.type, FLOAT32, shape)

    def op(self, kind, name, shape, /, **inputs):
        """Add an operator: texts that name an earlier result are references, all else constants."""
        operation = self.block.operations.add(type=kind)
        known = {o.name for op in self.block.operations for o in op.outputs} | {i.name for i in self.function.inputs}
        for key, value in inputs.items():
            for item in value if isinstance(value, list) and key == "values" else [value]:
                binding = operation.inputs[key].arguments.add()
                if isinstance(item, str) and (item in known or item.startswith("?")):
                    binding.name = item
                elif hasattr(item, "SerializeToString"):
                    binding.value.CopyFrom(item)
                else:
                    binding.value.CopyFrom(constant(item))
        set_type(operation.outputs.add(name=name).type, self.dtype, shape)
        return self

    def save(self, folder, *outputs):
        self.block.outputs.extend(outputs)
        package = folder / "m.mlpackage"
        home = package / "Data" / "com.apple.CoreML"
        (home / "weights").mkdir(parents=True)
        (home / "model.mlmodel").write_bytes(self.model.SerializeToString())
        (home / "weights" / "weight.bin").write_bytes(self.weights)
        entry = {"path": "com.apple.CoreML/model.mlmodel", "name": "model.mlmodel"}
        (package / "Manifest.json").write_text(
            json.dumps({"rootModelIdentifier": "a", "itemInfoEntries": {"a": entry}})
        )
        return package


def weight_bin(data, *, code=2, sentinel=0xDEADBEEF, version=2, start=128, length=None):
    size = len(data) if length is None else length
    return struct.pack("<II56x", 1, version) + struct.pack("<IIQQQ32x", sentinel, code, size, start, 0) + data


def run(package, **inputs):
    return load_program(package).run({name: np.asarray(value, np.float32) for name, value in inputs.items()})


def refused(package, words):
    with pytest.raises(ConverterError, match=words) as caught:
        load_program(package)
    assert "\n" not in str(caught.value)


def test_float16_is_rounded_after_every_operator(tmp_path):
    draft = Draft(x=(2,), dtype=FLOAT16).op("cast", "h", (2,), x="x", dtype="fp16")
    draft.op("add", "up", (2,), x="h", y=np.float32(1.0)).op("sub", "down", (2,), x="up", y=np.float32(1.0))
    small = 2.0**-12  # vanishes beside 1 in float16, not in float32
    result = run(draft.save(tmp_path, "down"), x=[small, 0.5])
    assert result.dtype == np.float16
    assert result.tolist() == [0.0, 0.5]


def test_float16_overflows_to_infinity(tmp_path):
    draft = Draft(x=(1,), dtype=FLOAT16).op("mul", "z", (1,), x="x", y=np.float32(300.0))
    assert run(draft.save(tmp_path, "z"), x=[300.0]).tolist() == [np.inf]


def test_float32_is_not_rounded(tmp_path):
    draft = (
        Draft(x=(1,)).op("add", "up", (1,), x="x", y=np.float32(1.0)).op("sub", "z", (1,), x="up", y=np.float32(1.0))
    )
    assert run(draft.save(tmp_path, "z"), x=[2.0**-12]).tolist() == [2.0**-12]


def test_trace_names_every_tensor_in_order_and_run_gives_the_outputs(tmp_path):
    draft = Draft(x=(2,)).op("relu", "a", (2,), x="x").op("add", "b", (2,), x="a", y="x").op("exp", "c", (2,), x="b")
    program = load_program(draft.save(tmp_path, "a", "c"))
    inputs = {"x": np.float32([-1, 2])}
    trace = program.trace(inputs)
    assert list(trace) == ["x", "a", "b", "c"]
    assert trace["b"].tolist() == [-1, 4]
    assert [program.kind_of(name) for name in trace] == ["input", "relu", "add", "exp"]
    made = program.run(inputs)
    assert list(made) == ["a", "c"]
    np.testing.assert_array_equal(made["c"], trace["c"])


def test_weights_come_from_weight_bin(tmp_path):
    draft = Draft(x=(3,))
    draft.weights = weight_bin(np.float32([1, 2, 3]).tobytes())
    draft.op("mul", "z", (3,), x="x", y=blob(64, FLOAT32, (3,)))
    assert run(draft.save(tmp_path, "z"), x=[1, 1, 2]).tolist() == [1, 2, 6]


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 64])
def test_packed_integers_come_back(bits, count):
    values = np.random.default_rng(count).integers(0, 2**bits, count).astype(np.uint8)
    stream = np.unpackbits(values[:, None], axis=1, bitorder="little")[:, :bits].reshape(-1)
    packed = np.packbits(stream, bitorder="little")
    np.testing.assert_array_equal(unpack_bits(packed, bits, count), values)
    with pytest.raises(ConverterError, match="bytes, found"):
        unpack_bits(packed[1:], bits, count)


def test_four_bit_integers_have_a_sign():
    assert decode(bytes([0x8F, 0x70]), "INT4", 4).tolist() == [-1, -8, 0, 7]


@pytest.mark.parametrize(
    ("weights", "value", "words"),
    [
        (weight_bin(b"\0" * 12), blob(4096, FLOAT32, (3,)), "cut short or damaged"),
        (weight_bin(b"\0" * 12), blob(2**63, FLOAT32, (3,)), "cut short or damaged"),
        (weight_bin(b"\0" * 12, length=2**40), blob(64, FLOAT32, (3,)), "cut short or damaged"),
        (weight_bin(b"\0" * 12, start=2**62), blob(64, FLOAT32, (3,)), "cut short or damaged"),
        (weight_bin(b"\0" * 12, sentinel=1), blob(64, FLOAT32, (3,)), "holds no tensor at offset 64"),
        (weight_bin(b"\0" * 12, code=1), blob(64, FLOAT32, (3,)), "holds FLOAT16 at offset 64"),
        (weight_bin(b"\0" * 12, code=99), blob(64, FLOAT32, (3,)), "holds type 99"),
        (weight_bin(b"\0" * 12), blob(64, FLOAT32, (4,)), "need 16 bytes, found 12"),
        (weight_bin(b"\0" * 12, version=1), blob(64, FLOAT32, (3,)), "version 1, expected 2"),
        (b"short", blob(64, FLOAT32, (3,)), "cut short or damaged"),
        (weight_bin(b"\0" * 12), blob(64, FLOAT32, (3,), "@model_path/../../Manifest.json"), "outside of its package"),
        (weight_bin(b"\0" * 12), blob(64, FLOAT32, (3,), "@model_path/weights/other.bin"), "is missing"),
        (weight_bin(b"\0" * 12), blob(64, FLOAT32, (3,), "/etc/hostname"), "expected a name that begins with"),
    ],
)
def test_damaged_weights_are_refused(weights, value, words, tmp_path):
    draft = Draft(x=(3,))
    draft.weights = weights
    draft.op("mul", "z", (3,), x="x", y=value)
    refused(draft.save(tmp_path, "z"), words)


@pytest.mark.parametrize(
    ("kind", "shape", "inputs", "words"),
    [
        ("gru", (2,), {"x": "x"}, r"lacks: gru; it knows: abs, a"),
        ("relu", (2,), {"x": "x", "colour": np.float32(1)}, "unexpected keyword argument 'colour'"),
        ("clip", (2,), {"x": "x"}, "missing .* 'alpha'"),
        ("relu", (2,), {"x": "?later"}, r"refers to '\?later', which nothing before it defines"),
        ("relu", (1 << 20, 1 << 20), {"x": "x"}, "at most .* elements"),
        ("tile", (2,), {"x": np.float32([1, 2]), "reps": np.int32([2**30])}, "at most .* elements"),
        ("fill", (2,), {"shape": np.int32([2**20, 2**20])}, "at most .* elements"),
        ("add", (2,), {"x": COLUMN, "y": COLUMN.T}, "at most .* elements"),
        ("matmul", (2,), {"x": COLUMN, "y": COLUMN.T}, "at most .* elements"),
        ("pad", (2,), {"x": np.float32([1, 2]), "pad": np.int32([0, 2**30])}, "at most .* elements"),
        ("upsample_bilinear", (2,), {"x": COLUMN[None], "scale_factor_height": np.float32(1e6)}, "at most .* elements"),
        ("relu", (3,), {"x": np.float32([1, 2])}, r"gives z the shape \[2\], the program declares \[3\]"),
        ("reshape", (2,), {"x": np.float32([1, 2]), "shape": np.int32([3])}, "cannot be evaluated: shape"),
        ("gelu", (2,), {"x": np.float32([1, 2]), "mode": "SOFT"}, "mode 'SOFT'"),
        ("split", (1,), {"x": np.float32([1, 2]), "axis": np.int32(0), "num_splits": np.int32(2)}, "gives 2 results"),
    ],
)  # fmt: skip
def test_impossible_operators_are_refused(kind, shape, inputs, words, tmp_path):
    draft = Draft(x=(2,)).op(kind, "z", shape, **inputs).op("add", "out", (2,), x="x", y="x")
    refused(draft.save(tmp_path, "out"), words)


def test_all_missing_operators_are_listed_at_once(tmp_path):
    draft = Draft(x=(2,)).op("gru", "a", (2,), x="x").op("relu", "b", (2,), x="a").op("crop_resize", "c", (2,), x="b")
    refused(draft.save(tmp_path, "c"), "lacks: crop_resize, gru;")


def test_names_are_defined_once_and_outputs_are_computed(tmp_path):
    draft = Draft(x=(2,)).op("relu", "a", (2,), x="x").op("relu", "a", (2,), x="x")
    refused(draft.save(tmp_path, "a"), "each needs a name of its own")
    (tmp_path / "b").mkdir()
    refused(Draft(x=(2,)).op("relu", "a", (2,), x="x").save(tmp_path / "b", "nothing"), "hands out 'nothing'")
    (tmp_path / "c").mkdir()
    refused(Draft(x=(2,)).op("relu", "a", (2,), x="x").save(tmp_path / "c"), "no output")


def test_constants_fit_their_declared_shape(tmp_path):
    value = constant(np.float32([1, 2, 3]))
    value.type.tensorType.dimensions[0].constant.size = 4
    refused(
        Draft(x=(4,)).op("add", "z", (4,), x="x", y=value).save(tmp_path, "z"), "has 3 values, its shape .4. needs 4"
    )


def relu_package(folder):
    return Draft(x=(1, 2)).op("relu", "z", (1, 2), x="x").save(folder, "z")


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, r"takes the inputs \['x'\], got \[\]"),
        ({"x": np.zeros((1, 2), np.float32), "y": np.zeros(1, np.float32)}, r"got \['x', 'y'\]"),
        ({"x": np.zeros((2, 2), np.float32)}, r"is float32 \[2, 2\], the program expects FLOAT32 \[1, 2\]"),
        ({"x": np.array([["a", "b"]])}, "the program expects FLOAT32"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs, words, tmp_path):
    program = load_program(relu_package(tmp_path))
    with pytest.raises(ConverterError, match=words):
        program.run(inputs)


def test_a_batch_of_any_size_may_be_declared(tmp_path):
    draft = Draft(x=(1, 2)).op("relu", "z", (1, 2), x="x")
    for kind in (draft.function.inputs[0].type, draft.block.operations[0].outputs[0].type):
        kind.tensorType.dimensions[0].unknown.variadic = False
    program = load_program(draft.save(tmp_path, "z"))
    assert program.run({"x": np.ones((5, 2), np.float32)}).shape == (5, 2)


def test_what_is_not_a_package_is_refused(tmp_path):
    refused(tmp_path, "no Manifest.json in it")
    package = relu_package(tmp_path)
    manifest, model = package / "Manifest.json", package / "Data/com.apple.CoreML/model.mlmodel"
    good = json.loads(manifest.read_text())
    for content in ("not json", "[]", "{}", json.dumps({"rootModelIdentifier": "a"}), "[" * 100_000):
        manifest.write_text(content)
        refused(package, "names no model")
    for path, words in (("../../../etc/hostname", "outside of its package"), ("nowhere", "is missing")):
        good["itemInfoEntries"]["a"]["path"] = path
        manifest.write_text(json.dumps(good))
        refused(package, words)
    good["itemInfoEntries"]["a"]["path"] = "com.apple.CoreML/model.mlmodel"
    manifest.write_text(json.dumps(good))
    model.write_bytes(b"\xff" * 100)
    refused(package, "its protobuf is damaged")
    other = model_pb2().Model()
    other.neuralNetwork.SetInParent()
    model.write_bytes(other.SerializeToString())
    refused(package, "is a neuralNetwork model, expected an mlprogram")
    model.unlink()
    model.symlink_to("/etc/hostname")
    refused(package, "outside of its package")


def outcome_of(package, inputs):
    try:
        load_program(package).run(inputs)
    except ConverterError:
        return "sentence"
    return "result"


def test_damage_anywhere_gives_a_sentence_or_a_result(tmp_path):
    """Random bytes change, are cut or repeated: nothing but ConverterError may come out."""
    draft = Draft(x=(1, 3, 6, 6))
    draft.weights = weight_bin(np.linspace(-1, 1, 54, dtype=np.float32).tobytes())
    draft.op(
        "conv", "c", (1, 2, 4, 4), x="x", weight=blob(64, FLOAT32, (2, 3, 3, 3)), strides=np.int32([1, 1]),
        pad_type="custom", pad=np.int32([0, 0, 0, 0]), dilations=np.int32([1, 1]), groups=np.int32(1),
    )  # fmt: skip
    draft.op(
        "upsample_bilinear",
        "u",
        (1, 2, 8, 8),
        x="c",
        scale_factor_height=np.float32(2),
        scale_factor_width=np.float32(2),
    )
    draft.op("softmax", "s", (1, 2, 8, 8), x="u", axis=np.int32(-1)).op(
        "concat", "z", (1, 4, 8, 8), values=["s", "u"], axis=np.int32(1)
    )
    package = draft.save(tmp_path, "z")
    image = {"x": np.ones((1, 3, 6, 6), np.float32)}
    assert load_program(package).run(image).shape == (1, 4, 8, 8)
    files = [package / "Data/com.apple.CoreML/model.mlmodel", package / "Data/com.apple.CoreML/weights/weight.bin"]
    originals = [file.read_bytes() for file in files]
    dice, outcomes = random.Random(7), {"sentence": 0, "result": 0}
    for _ in range(200):
        which = dice.random() < 0.2
        data = bytearray(originals[which])
        for _ in range(dice.choice([1, 1, 3])):
            at = dice.randrange(len(data) - 1)
            change = dice.choice(["set", "cut", "double"])
            if change == "set":
                data[at] = dice.randrange(256)
            elif change == "cut":
                del data[at : at + dice.randrange(1, 9)]
            else:
                data[at:at] = data[at : at + dice.randrange(1, 9)]
        files[which].write_bytes(bytes(data))
        outcomes[outcome_of(package, image)] += 1
        files[which].write_bytes(originals[which])
    assert min(outcomes.values()) > 10, outcomes


@pytest.mark.parametrize("value", ["a text", ["a", "b"], [torch.zeros(2), "a"]], ids=repr)
def test_no_operator_takes_just_anything(value):
    """A damaged program may give each of them a text where it wants a tensor."""
    for kind, function in FUNCTIONS.items():
        operation = Operation(
            kind, dict.fromkeys(inspect.signature(function).parameters, value), {"z": TensorType("FLOAT32", (2,))}
        )
        with pytest.raises(ConverterError):
            operation.evaluate({})


def test_evaluating_a_program_does_not_import_coremltools(tmp_path):
    """Its import takes seconds, which every `verify` would pay."""
    package = relu_package(tmp_path)
    code = (
        "import sys; from pathlib import Path; from converters.coreml_reference import load_program; "
        f"load_program(Path({str(package)!r})); sys.exit('coremltools' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False, timeout=60).returncode == 0
