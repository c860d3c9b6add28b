"""`pripro lint` over heads of six networks and the demo: what each backend leaves out, splits at or gets wrong.

Heads of the networks have random weights and the PriPro block; only graphs are looked at, no time is taken. Each call
adds its formats to the file. The demo's bundle, which `make demo` leaves, is linted where it is named.

    python benchmarks/lint_networks.py --bundle build/demo-waist --out benchmarks/results/lint.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks" / "parity")]

import torch  # noqa: E402
from stamp import stamp  # noqa: E402

from converters._quiet import quiet  # noqa: E402
from converters.base import HeadProgram  # noqa: E402
from toolkit.bundle import Bundle  # noqa: E402
from toolkit.convert.heads import converter  # noqa: E402
from toolkit.lint.report import lint_bundle, lint_head  # noqa: E402
from toolkit.lint.rules import load_backends  # noqa: E402
from toolkit.partition.network import load_network  # noqa: E402
from toolkit.partition.split import split  # noqa: E402
from toolkit.protections.pripro import PriPro  # noqa: E402
from toolkit.records.bundle import Head  # noqa: E402
from toolkit.records.lint import LintRow  # noqa: E402

NETWORKS = {
    "resnet18": "layer2",
    "mobilenet_v2": "features.3",
    "mobilenet_v3_small": "features.3",
    "alexnet": "features.5",
    "squeezenet1_1": "features.5",
    "shufflenet_v2_x0_5": "stage2",
}
HEADS = {"onnx": "fp32", "tflite": "fp32", "coreml": "fp16", "executorch": "fp32", "coreai": "fp32"}
SIDE = 96


def program(network: str) -> HeadProgram:
    """The protected head of a network with random weights."""
    torch.manual_seed(0)
    backbone = split(load_network(network, (3, SIDE, SIDE)), NETWORKS[network], check=False).head
    image = torch.rand(1, 3, SIDE, SIDE)
    with torch.no_grad():
        features = tuple(backbone(image).shape[1:])
    return HeadProgram(backbone, PriPro(features).eval(), image, torch.randn(1, *features))


def rows(network: str, formats: list[str]) -> list[dict[str, object]]:
    """One row per format and backend."""
    head, found = program(network), []
    for target in formats:
        precision = HEADS[target]
        made_by = converter(target)
        backend = made_by.backends[0]
        with tempfile.TemporaryDirectory() as folder:
            with quiet():
                made = made_by.convert(head, Path(folder), precision=precision, backend=backend)
            record = Head(
                target=target, precision=precision, backend=backend, entry="head/x", files=[], inputs=[], outputs=[],
                ops_delegated=made.ops_delegated, ops_total=made.ops_total, not_run=None, tools=dict(made.tools),
            )  # fmt: skip
            for rules in load_backends():
                if rules.target == target and rules.how != "none":
                    found.append(shown(lint_head(record, Path(folder) / made.entry, rules, lambda: head, {})))
    return found


def shown(row: LintRow) -> dict[str, object]:
    """What the result keeps of a row."""
    kept = {"backend", "how", "ops_total", "ops_taken", "partitions"}
    told = [f"{each.consequence}: {each.operator} x {each.count} ({each.rule})" for each in row.findings]
    return {**row.model_dump(include=kept), "findings": told, **({"note": row.note} if row.how == "not run" else {})}


def demo(bundle: Path) -> list[dict[str, object]]:
    """The rows of a bundle, as `pripro lint` prints them; the bundle is not written to."""
    report = lint_bundle(Bundle.open(bundle))
    return [{"head": f"{row.target} {row.precision}", **shown(row)} for row in report.rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--formats", default=",".join(HEADS))
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    formats = chosen.formats.split(",")
    known = json.loads(chosen.out.read_text())["networks"] if chosen.out.is_file() else {}
    if chosen.bundle:
        known["demo"] = demo(chosen.bundle)
        print("demo", *known["demo"], sep="\n  ", flush=True)
    for network, cut in NETWORKS.items():
        backends = {rules.name for rules in load_backends() if rules.target in formats}
        name = f"{network}@{cut}"
        kept = [row for row in known.get(name, []) if row["backend"] not in backends]
        known[name] = [*kept, *rows(network, formats)]
        chosen.out.write_text(json.dumps({**stamp(), "image": SIDE, "networks": known}, indent=1) + "\n")
        print(name, *known[name], sep="\n  ", flush=True)


if __name__ == "__main__":
    main()
