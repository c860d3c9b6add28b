"""Which module imports which, read from the sources; as a script it writes the tables of docs/packages.md.

python tests/rooms.py            # the table of now
python tests/rooms.py COMMIT     # the table of before, from that commit
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
ROOT = REPOSITORY / "toolkit"
PAGE = REPOSITORY / "docs" / "packages.md"
#: in the order in which the flow enters them
STAGES = ["partition", "protect", "convert", "package", "lint", "verify", "measure"]
#: stages that the flow enters twice, and why
TWICE = {"convert": "`plan_heads` refuses targets and precisions that nothing here has, before the first stage writes"}
#: what a stage takes from earlier ones, and why
TAKES = {
    ("protect", "partition"): "reads the two halves that it fuses the protection between",
    ("convert", "protect"): "reads the protected head that it converts",
    ("package", "protect"): "draws goldens from the protected head, and quantises the tail on its messages",
    ("lint", "convert"): "finds the converter that lists a head's operators, or lowers the head anew",
    ("verify", "protect"): "compares with the protected head in eager torch",
    ("verify", "convert"): "finds the converter that opens a head, and converts once more to explain one",
    ("verify", "package"): "replays the goldens, judges by their limits, and serves the archive",
    ("measure", "partition"): "reads the bare head, which `--unprotected` times beside the protected one",
}


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


def packages(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same between what lies at the root: packages, and modules that are in none."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, used in graph.items():
        here = name.split(".")[0]
        found[here] |= {other.split(".")[0] for other in used} - {here}
    return dict(found)


def in_circles(graph: dict[str, set[str]]) -> int:
    """How many nodes of a graph can be reached from themselves."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(graph.get(start, ()))
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += graph.get(node, ())
        return seen

    return sum(node in reached(node) for node in graph)


def walk(flow: Path = ROOT / "pipeline" / "build.py") -> list[str]:
    """Stages in the order in which `run`, with `build` in its place, calls them; calls in a row count once."""
    tree = ast.parse(flow.read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    came_from = {
        alias.asname or alias.name: (node.module or alias.name).split(".")[0]
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.level == 2
        for alias in node.names
    }

    def calls(name: str) -> list[str]:
        named = [node for node in ast.walk(functions[name]) if isinstance(node, ast.Name) and node.id != name]
        found = []
        for node in sorted(named, key=lambda node: (node.lineno, node.col_offset)):
            if node.id in functions and not node.id.startswith("_"):
                found += calls(node.id)
            elif came_from.get(node.id) in STAGES:
                found.append(came_from[node.id])
        return found

    entered = calls("run")
    return [stage for stage, before in zip(entered, [None, *entered], strict=False) if stage != before]


def summary(root: Path) -> dict[str, int]:
    """Figures of a whole tree."""
    between = graph(root)
    rooms = packages(between)
    return {
        "packages and modules at the root": len(rooms),
        "imports between them": sum(map(len, rooms.values())),
        "of them in an import circle": in_circles(rooms),
        "modules in an import circle": in_circles(between),
    }


def table(root: Path) -> str:
    """Markdown: every package and what it imports. Without counts of files, which change daily and tell little."""
    rooms = packages(graph(root))
    lines = ["| count | |", "|---|---|", *(f"| {what} | {number} |" for what, number in summary(root).items()), ""]
    lines += ["| package or module | imports |", "|---|---|"]
    # who imports little stands on top
    order = sorted(rooms, key=lambda room: (len(rooms[room]), room))
    lines += [f"| `{room}` | {', '.join(sorted(rooms[room])) or 'nothing'} |" for room in order]
    return "\n".join(lines)


def reasons() -> str:
    """Markdown: which stage enters an earlier one again, and why."""
    lines = [f"- the flow enters `{stage}` twice: {why}." for stage, why in TWICE.items()]
    lines += [f"- `{later}` enters `{earlier}`: {why}." for (later, earlier), why in TAKES.items()]
    return "\n".join(lines)


def put(text: str, name: str, content: str) -> str:
    """Replace what stands between a part's marks on the page."""
    pattern = re.compile(rf"(<!-- {name}: [^>]*-->\n\n).*?(\n\n<!-- end -->)", re.DOTALL)
    assert pattern.search(text), name
    return pattern.sub(lambda found: found[1] + content + found[2], text)


def page(text: str) -> str:
    """The page with the table of now."""
    return put(put(text, "now", table(ROOT)), "walk", reasons())


def main() -> None:
    text = page(PAGE.read_text())
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as folder:
            archive = ["git", "-C", str(REPOSITORY), "archive", sys.argv[1], "toolkit"]
            packed = subprocess.run(archive, check=True, capture_output=True).stdout
            subprocess.run(["tar", "-x", "-C", folder], input=packed, check=True)
            text = put(text, "before", table(Path(folder) / "toolkit"))
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
