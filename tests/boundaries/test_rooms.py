"""The walk through the toolkit: no import circle between modules or packages, few names at the root, verbs in order."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import cloud_tail
import converters
import toolkit

ROOT = Path(toolkit.__file__).parent
#: where people add files of their own
EXTENSIONS = {"protections", "attacks", "families", "tasks", "datasets"}
MOST_NAMES = 18
VERBS = ["partition", "protect", "convert", "package", "verify", "measure"]


def modules(root: Path) -> dict[str, Path]:
    """Name, relative to its top package, of every module and package."""
    found = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """Modules beside it that a module imports, also inside functions and for type checkers alone."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_text())
    if path.name == "__init__.py":  # it names what its own modules define
        tree.body = [node for node in tree.body if not isinstance(node, ast.If)]
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        parts = package.split(".") if package else []
        base = ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
        for alias in node.names:
            full = f"{base}.{alias.name}" if base else alias.name
            found.add(full if full in known else base)
    return found - {name, ""}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """One circle of a graph, or nothing."""
    done: set[str] = set()

    def walk(node: str, trail: list[str]) -> list[str]:
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in done:
            return []
        for after in sorted(graph.get(node, ())):
            found = walk(after, [*trail, node])
            if found:
                return found
        done.add(node)
        return []

    for start in sorted(graph):
        found = walk(start, [])
        if found:
            return found
    return []


def graph(root: Path = ROOT) -> dict[str, set[str]]:
    known = modules(root)
    return {name: imports(name, path, known) for name, path in known.items() if name}


@pytest.mark.parametrize("package", [toolkit, converters, cloud_tail], ids=lambda package: package.__name__)
def test_no_module_imports_itself_through_others(package):
    assert circle(graph(Path(package.__file__).parent)) == []


def test_no_package_imports_itself_through_others():
    rooms: dict[str, set[str]] = defaultdict(set)
    for name, used in graph().items():
        here = name.split(".")[0]
        rooms[here] |= {other.split(".")[0] for other in used} - {here}
    assert circle(rooms) == []


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]


def test_the_root_has_few_names():
    names = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert len(names - EXTENSIONS - {"__init__", "__main__"}) <= MOST_NAMES, sorted(names)


def test_the_flow_enters_the_verbs_in_order():
    text = (ROOT / "pipeline" / "build.py").read_text()
    calls = {"partition": "start(", "protect": "protect(", "convert": "convert(", "package": "package(",
             "verify": "verify_bundle(", "measure": "measure_bundle("}  # fmt: skip
    body = text[text.index("def build(") :] + text[text.index("def run(") : text.index("def build(")]
    places = [body.index(calls[verb]) for verb in VERBS]
    assert places == sorted(places)
