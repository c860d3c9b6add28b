"""Targets come from converters/ and from entry points; a bad registration is one sentence and hides no other target."""

import ast
import sys
from pathlib import Path

import pytest

import toolkit
from toolkit import plugins
from toolkit.cli._doctor import examine
from toolkit.convert.settings import default_targets
from toolkit.emulated import arm64
from toolkit.errors import InputError, UnknownNameError

ROOT = Path(toolkit.__file__).parent
#: where a target's name is a default of a verb, or names something else than a target
CHOICES = {
    "plan/report.py": {"onnx", "executorch"},  # the tail's own format, and the default of --target
    "package/tail.py": {"onnx"},  # the tail's own format
    "cli/plan.py": {"executorch"},
    "emulated/arm64/root.py": {"executorch"},  # the distribution whose C++ sources are compiled there
}


def register(site: Path, distribution: str, line: str) -> None:
    """What pip leaves of an installed distribution that registers a target."""
    folder = site / f"{distribution}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{plugins.TARGET_GROUP}]\n{line}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_an_unknown_target_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="choose one of: coreai, coreml, executorch, onnx, tflite"):
        plugins.target("tensorrt")


def test_a_second_owner_of_a_name_is_refused(site: Path):
    register(site, "other", "onnx = other:ToOnnx")
    with pytest.raises(InputError, match="onnx is registered by pripro-toolkit and other; uninstall all but one"):
        plugins.target("onnx")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('needs a licence')", r"of other cannot be imported \(needs a licence\)"),
        ("ToOdd = 3", "odd_target:ToOdd, which other registers as the target odd, is no converter of that name"),
        ("from converters.to_onnx import ToOnnx as ToOdd", "is no converter of that name"),
    ],
)
def test_a_bad_registration_is_one_sentence_and_hides_no_other(site: Path, source: str, said: str):
    (site / "odd_target.py").write_text(source)
    register(site, "other", "odd = odd_target:ToOdd")
    try:
        with pytest.raises(InputError, match=said) as caught:
            plugins.target("odd")
        assert "\n" not in str(caught.value)
        states = {check.name: check.state for check in examine() if check.name.startswith("target ")}
        assert states["target odd"] == "wrong"
        assert "odd" not in default_targets()
        assert "tflite" in arm64.targets()
        assert states["target onnx (cpu)"] in {"ok", "missing"}
    finally:
        sys.modules.pop("odd_target", None)


def test_no_target_is_named_outside_of_its_converter():
    names = set(plugins.targets())
    found: dict[str, set[str]] = {}
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        words = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        if words & names:
            found[path.relative_to(ROOT).as_posix()] = words & names
    assert found == CHOICES


def test_what_is_made_where_no_target_is_named():
    assert default_targets() == {"coreml": ["fp16"], "executorch": ["fp32"], "onnx": ["fp32"], "tflite": ["fp32"]}


def test_every_target_says_what_the_verbs_ask():
    for name in plugins.targets():
        kind = plugins.target(name)
        assert kind.name == name
        assert kind.default_precision in (None, *kind.precisions)
        assert set(kind.apps) <= {"android", "ios"}
        assert all(set(backends) <= set(kind.backends) for backends in kind.apps.values())
        assert set(kind.emulated) <= {"arm64", "tflite-runtime"}
        assert kind.runtime in kind().packages.values()
