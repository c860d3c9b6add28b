"""Fifty faults of ten kinds inside of heads on four targets: does `verify --explain` name the operator, and how soon?

    python benchmarks/parity/planted.py --out benchmarks/results/parity_planted.json
    python benchmarks/parity/planted.py --on coreai --count 10 --out benchmarks/results/parity_planted_coreai.json

A fault is planted in the graph that a converter is given, as an exporter's own mistake would be: eager torch, which the
file is compared with, does not have it. Kind, operator and target are drawn by seed. Named means that the first layer
that departs is that operator; where a runtime computes several operators as one (a convolution, its norm and its ReLU),
that it is one of them, and the record says so. It resumes: faults that the result holds already are not run again.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks" / "parity"), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from converter_cases import digits, eager, small_head  # noqa: E402
from filelock import FileLock  # noqa: E402
from stamp import stamp  # noqa: E402
from torch.export import ExportedProgram  # noqa: E402
from torch.fx import Node  # noqa: E402

import converters.plain  # noqa: E402
from converters.base import HeadProgram  # noqa: E402
from toolkit.convert.heads import converter  # noqa: E402
from toolkit.protections.pripro import PriPro  # noqa: E402
from toolkit.verify import eager as eager_names  # noqa: E402
from toolkit.verify import explain as explaining  # noqa: E402
from toolkit.verify.eager import Pair  # noqa: E402
from toolkit.verify.explain import LayerParity, explain_head  # noqa: E402
from toolkit.verify.replay import Goldens  # noqa: E402

TARGETS = ("onnx", "executorch", "coreml", "tflite")
COUNT = 50
#: seconds that naming may take
MOST = 60.0
aten = torch.ops.aten


def _weight(program: ExportedProgram, node: Node, place: int) -> torch.Tensor:
    """The stored tensor behind an operator's argument, to be changed in place."""
    source = node.args[place]
    assert isinstance(source, Node)
    signature = program.graph_signature
    names = signature.inputs_to_parameters | signature.inputs_to_buffers
    tensors = program.state_dict | program.constants
    own = tensors[names[source.name]].detach().clone()
    stored = program.state_dict if names[source.name] in program.state_dict else program.constants
    stored[names[source.name]] = torch.nn.Parameter(own) if source.name in signature.inputs_to_parameters else own
    return own


def _roll(program: ExportedProgram, node: Node) -> None:
    own = _weight(program, node, 1)
    own.copy_(own.roll(1, 0))


def _louder(program: ExportedProgram, node: Node) -> None:
    _weight(program, node, 1)[0] *= 4


def _mean(program: ExportedProgram, node: Node) -> None:
    _weight(program, node, 3).add_(1.0)


def _epsilon(_: ExportedProgram, node: Node) -> None:
    node.args = (*node.args[:7], 0.5, *node.args[8:])


def _leaky(_: ExportedProgram, node: Node) -> None:
    node.target, node.args = aten.leaky_relu.default, (node.args[0], 0.3)


def _swapped(_: ExportedProgram, node: Node) -> None:
    node.args = node.args[::-1]


def _minus(_: ExportedProgram, node: Node) -> None:
    node.target = aten.sub.Tensor


def _axis(_: ExportedProgram, node: Node) -> None:
    node.args = (node.args[0], 2, *node.args[2:])


def _corners(_: ExportedProgram, node: Node) -> None:
    node.args = (*node.args[:2], True, *node.args[3:])


def _average(_: ExportedProgram, node: Node) -> None:
    node.target = aten.avg_pool2d.default


Plant = Callable[[ExportedProgram, Node], None]
#: an operator: its name in the graph, its kind, its module
Place = tuple[str, str, str]
#: one of these a module at most: eager torch's decomposed graph may name them anew
ONE_A_MODULE = ("conv2d", "linear", "batch_norm")
#: kind -> operators that it can be planted in, and how
KINDS: dict[str, tuple[tuple[str, ...], Plant]] = {
    "filters in another order": (("conv2d", "convolution"), _roll),
    "one filter four times as strong": (("conv2d", "convolution"), _louder),
    "a linear layer's rows in another order": (("linear",), _roll),
    "a norm's mean off by one": (("batch_norm",), _mean),
    "a norm's epsilon": (("batch_norm",), _epsilon),
    "a leaky ReLU": (("relu",), _leaky),
    "a difference the other way round": (("sub",), _swapped),
    "a difference for a sum": (("add",), _minus),
    "softmax over the other axis": (("softmax",), _axis),
    "an average for a maximum": (("max_pool2d",), _average),
}


def candidates(program: ExportedProgram, operators: tuple[str, ...]) -> list[Node]:
    """Operators of the backbone and the block that a fault fits, in their order."""
    found = []
    for node in program.graph.nodes:
        name = str(node.target).partition(".")[2].partition(".")[0].strip("_")
        both = [each for each in node.args[:2] if isinstance(each, Node)]
        two = name not in {"sub", "add"} or len(both) == 2
        weighted = name not in {"conv2d", "linear"} or (len(both) == 2 and both[1].op == "placeholder")
        many = name != "conv2d" or (weighted and both[1].meta["val"].shape[0] > 1)
        if node.op == "call_function" and name in operators and two and weighted and many:
            found.append(node)
    return found


@contextmanager
def planted(plant: Plant, operators: tuple[str, ...], draw: float, told: list[Place]) -> Iterator[None]:
    """Let every conversion meanwhile be given a graph with the fault."""
    right = converters.plain.plain

    def wrong(*arguments: object, **options: object) -> ExportedProgram:
        program = right(*arguments, **options)
        if len(program.graph_signature.user_outputs) > 1:  # made of a graph that has the fault: results handed out
            return program
        nodes = candidates(program, operators)
        node = nodes[int(draw * len(nodes))]
        module = eager_names._modules(program)[node.name].removeprefix("head.")  # TFLite's head stands inside another
        place = (node.name, eager_names._operator(node), module)
        with torch.no_grad():
            plant(program, node)
        program.graph_module.recompile()
        told[:] = [place]
        return program

    with mock.patch.object(converters.plain, "plain", wrong):
        yield


@cache
def head() -> HeadProgram:
    """The conformance suite's small head with its injector as it is when training begins: no weight of it is idle."""
    plain = small_head()
    with torch.no_grad():
        smashed = plain.backbone(torch.cat(digits(20)))
    block = PriPro(tuple(smashed.shape[1:])).eval()
    block.start_from(smashed, torch.Generator().manual_seed(0))
    return replace(plain, block=block)


def goldens() -> Goldens:
    images = torch.cat(digits(20)[:3]).numpy()
    eps = np.random.default_rng(0).standard_normal((3, 16, 14, 14), dtype=np.float32)
    rows = [{"image": images[i : i + 1], "eps": eps[i : i + 1]} for i in range(3)]
    smashed = np.concatenate([eager(head(), row) for row in rows])
    return Goldens({"image": images, "eps": eps, "eps_other": eps[::-1].copy()}, {"smashed": smashed}, ["photo"] * 3)


def target_of(seed: int) -> str:
    """Every kind meets every target."""
    return TARGETS[(seed // len(KINDS) + seed) % len(TARGETS)]


def run(seed: int, rows: Goldens, target: str | None = None) -> dict[str, Any]:
    """Plant one fault, convert, explain; on the target that the seed draws, unless one is named."""
    kind = list(KINDS)[seed % len(KINDS)]
    target = target or target_of(seed)
    operators, plant = KINDS[kind]
    told: list[Place] = []
    chains: list[list[Place]] = []
    compare = explaining._compare

    def noting(pair: Pair, threshold: float) -> LayerParity:
        chains.append([(each.name, each.operator, each.module) for each in pair.chain])
        return compare(pair, threshold)

    made_by = converter(target)
    backend = made_by.backends[0]
    with tempfile.TemporaryDirectory() as folder, planted(plant, operators, random.Random(seed).random(), told):
        out = Path(folder)
        made = made_by.convert(head(), out, precision="fp32", backend=backend)
        wall, cpu = time.monotonic(), time.process_time()
        with mock.patch.object(explaining, "_compare", noting):
            found = explain_head(head(), target, "fp32", backend, out / made.entry, rows)
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    departing = next((chain for chain, layer in zip(chains, found.layers, strict=True) if layer.departs), [])
    hit = [each for each in departing if _same(each, told[0])]
    # what a person reads is the sentence
    named = bool(hit) and found.first.startswith("the first layer that departs is")
    return {
        "seed": seed, "kind": kind, "target": target, "planted": f"{told[0][1]} at {told[0][2]}", "named": named,
        "together_with": [each[1] for each in departing if each not in hit] if named else [],
        "first": found.first, "wall_s": round(wall, 1), "cpu_s": round(cpu, 1),
    }  # fmt: skip


def _same(found: Place, planted_in: Place) -> bool:
    return found[0] == planted_in[0] or (planted_in[1] in ONE_A_MODULE and found[1:] == planted_in[1:])


def kept(out: Path) -> list[dict[str, Any]]:
    return json.loads(out.read_text())["faults"] if out.exists() else []


def keep(row: dict[str, Any], out: Path) -> None:
    """Add a fault to the result, into which another process may be writing as well."""
    with FileLock(f"{out}.lock"):
        rows = sorted([*kept(out), row], key=lambda each: each["seed"])
        report = {
            **stamp(),
            "count": len(rows),
            "named": sum(each["named"] for each in rows),
            "most_wall_s": max(each["wall_s"] for each in rows),
            "most_cpu_s": max(each["cpu_s"] for each in rows),
            "faults": rows,
        }
        out.write_text(json.dumps(report, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--target", choices=TARGETS, action="append", help="only these; several times")
    parser.add_argument("--on", help="every fault on this target, whichever would have been drawn")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    done = {row["seed"] for row in kept(arguments.out)}
    rows = goldens()
    for seed in range(arguments.count):
        if seed not in done and target_of(seed) in (arguments.target or TARGETS):
            found = run(seed, rows, arguments.on)
            keep(found, arguments.out)
            sys.stderr.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
