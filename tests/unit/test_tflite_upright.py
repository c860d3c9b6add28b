"""Products of .tflite heads without adj_x and adj_y, which GPU delegates ignore, give the same numbers."""

from pathlib import Path

import numpy as np
import pytest
from lint_graphs import matmul_options, operators, tflite_file

from converters._tflite_upright import upright

interpreter = pytest.importorskip("ai_edge_litert.interpreter")
F32 = "float32"


def run(path: Path, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    model = interpreter.Interpreter(str(path))
    model.allocate_tensors()
    for detail, value in zip(model.get_input_details(), (x, y), strict=True):
        model.set_tensor(detail["index"], value)
    model.invoke()
    return model.get_tensor(model.get_output_details()[0]["index"])


@pytest.mark.parametrize(("adj_x", "adj_y"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("leading", [(), (1,), (1, 2)])
def test_a_flag_becomes_a_transposition(adj_x: bool, adj_y: bool, leading: tuple[int, ...], tmp_path: Path):
    first, second = ((*leading, 3, 4) if adj_x else (*leading, 4, 3)), ((*leading, 5, 3) if adj_y else (*leading, 3, 5))
    tensors = [(F32, first, False), (F32, second, False), (F32, (*leading, 4, 5), False)]
    path = tflite_file([("BATCH_MATMUL", [0, 1], 2, matmul_options(adj_x=adj_x, adj_y=adj_y))], tensors, tmp_path)
    x, y = (np.random.default_rng(0).standard_normal(shape, dtype=np.float32) for shape in (first, second))
    before = run(path, x, y)
    path.write_bytes(upright(path.read_bytes()))
    made = operators(path)
    assert [each.kind for each in made] == ["TRANSPOSE"] * (adj_x + adj_y) + ["BATCH_MATMUL"]
    assert not made[-1].attributes["adjX"]
    assert not made[-1].attributes["adjY"]
    assert np.array_equal(run(path, x, y), before)


def test_a_model_without_such_a_product_stays_as_it_is(tmp_path: Path):
    tensor = (F32, (1, 1, 4, 4), False)
    content = tflite_file([("BATCH_MATMUL", [0, 1], 2, matmul_options())], [tensor] * 3, tmp_path).read_bytes()
    assert upright(content) == content
