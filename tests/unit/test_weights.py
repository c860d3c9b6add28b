"""Weights files: what loads, and what is refused without running anything."""

import os
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from toolkit.errors import InputError
from toolkit.partition.network import load_network
from toolkit.partition.program_file import load_program, save_program
from toolkit.partition.weights import apply_weights, read_weights


class Bomb:
    def __init__(self, mark) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.fixture
def linear() -> nn.Module:
    return nn.Linear(3, 2)


@pytest.mark.parametrize("nested", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_pth_round_trip(tmp_path, linear, nested, prefix):
    state = {prefix + name: value for name, value in linear.state_dict().items()}
    torch.save(state if nested is None else {nested: state, "epoch": 3}, tmp_path / "w.pth")
    read = read_weights(tmp_path / "w.pth")
    assert torch.equal(read["weight"], linear.weight)


def test_a_pickle_bomb_does_not_go_off(tmp_path):
    mark = tmp_path / "mark"
    torch.save({"weight": Bomb(mark)}, tmp_path / "w.pth")
    (tmp_path / "raw.pth").write_bytes(pickle.dumps(Bomb(mark)))
    for name in ("w.pth", "raw.pth"):
        with pytest.raises(InputError, match="could run code"):
            read_weights(tmp_path / name)
    assert not mark.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_truncated_files_are_refused(tmp_path, linear, suffix):
    path = tmp_path / f"w{suffix}"
    if suffix == ".pth":
        torch.save(linear.state_dict(), path)
    else:
        save_file(linear.state_dict(), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"truncated|not a complete"):
        read_weights(path)


def test_weights_of_another_network_name_the_first_difference(tmp_path, linear):
    with pytest.raises(InputError, match=r"1 tensors are missing \(first: bias\)"):
        apply_weights(linear, {"weight": torch.zeros(2, 3)}, tmp_path)
    with pytest.raises(InputError, match="the network has"):
        apply_weights(linear, {"weight": torch.zeros(4, 3), "bias": torch.zeros(2)}, tmp_path)


def test_the_number_of_classes_is_read_off_the_weights(tmp_path):
    from toolkit.families import digits_resnet

    save_file(digits_resnet.build(1, 7).state_dict(), tmp_path / "w.safetensors")
    assert load_network("digits_resnet", (1, 28, 28), tmp_path / "w.safetensors").classes == 7


@pytest.fixture
def program(linear):
    return torch.export.export(linear, (torch.zeros(2, 3),))


def test_a_saved_program_round_trips(tmp_path, linear, program):
    save_program(program, tmp_path / "p.pt2")
    image = torch.randn(2, 3)
    assert torch.equal(load_program(tmp_path / "p.pt2").module()(image), linear(image))


def _rewritten(source, target, change):
    import zipfile

    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            new.writestr(info, change(info.filename, old.read(info)))


def _as_pickle(mark):
    def change(name, data):
        if name.endswith("model_weights_config.json"):
            return data.replace(b'"use_pickle": false', b'"use_pickle": true').replace(
                b'"use_pickle":false', b'"use_pickle":true'
            )
        return pickle.dumps(Bomb(mark)) if "weight_0" in name else data

    return change


def _as_sample(mark):
    def change(name, data):
        return pickle.dumps(Bomb(mark)) if "sample_inputs" in name else data

    return change


def _as_expression(mark):
    def change(name, data):
        if not name.endswith("models/model.json"):
            return data
        evil = f'{{"as_expr": {{"expr_str": "__import__(\'os\').system(\'touch {mark}\')", "hint": null}}}}'
        return data.replace(b'{"as_int": 3}', evil.encode()).replace(b'{"as_int":3}', evil.encode())

    return change


@pytest.mark.parametrize("attack", [_as_pickle, _as_sample, _as_expression])
def test_programs_that_would_run_code_are_refused(tmp_path, program, attack):
    mark = tmp_path / "mark"
    save_program(program, tmp_path / "good.pt2")
    _rewritten(tmp_path / "good.pt2", tmp_path / "bad.pt2", attack(mark))
    assert (tmp_path / "good.pt2").read_bytes() != (tmp_path / "bad.pt2").read_bytes()
    with pytest.raises(InputError, match="could run code"):
        load_program(tmp_path / "bad.pt2")
    assert not mark.exists()


def test_something_else_is_no_program(tmp_path):
    (tmp_path / "p.pt2").write_bytes(b"not a zip")
    with pytest.raises(InputError, match="not a program"):
        load_program(tmp_path / "p.pt2")
