"""Dumps the package's public API: dump_api.py MODULES; --write replaces SplitKit/api/MODULE.api.

MODULES is the folder in which check.sh leaves the compiled modules: they hold Apple's branches, too, type-checked
against stubs. Swift's own swift-symbolgraph-extract reads them. A change here is a change that callers can see: it
belongs in the changelog.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

API = Path(__file__).resolve().parents[1] / "SplitKit" / "api"
LIBRARIES = ("SplitKit", "SplitKitCoreML", "SplitKitCoreAI", "SplitKitExecuTorch")


def dump(graphs: list[dict]) -> str:
    """The public declarations of one module's symbol graphs, one a line, sorted by their names."""
    lines: set[str] = set()
    names = {
        symbol["identifier"]["precise"]: ".".join(symbol["pathComponents"]) for g in graphs for symbol in g["symbols"]
    }
    for graph in graphs:
        for symbol in graph["symbols"]:
            if "::SYNTHESIZED::" in symbol["identifier"]["precise"]:
                continue
            text = "".join(part["spelling"] for part in symbol["declarationFragments"])
            extended = symbol.get("swiftExtension", {}).get("extendedModule", graph["module"]["name"])
            where = "" if extended == graph["module"]["name"] else f"{extended} + "
            lines.add(f"{where}{'.'.join(symbol['pathComponents'])} | {' '.join(text.split())}")
        for link in graph["relationships"]:
            name = names.get(link["source"])
            if link["kind"] in {"conformsTo", "inheritsFrom"} and name is not None:
                lines.add(f"{name} : {names.get(link['target']) or link.get('targetFallback') or link['target']}")
    return "\n".join(sorted(lines)) + "\n"


def extract(module: str, modules: Path) -> list[dict]:
    """Have Swift describe a compiled module, and what it adds to other modules' types."""
    told = subprocess.run(["swiftc", "-print-target-info"], capture_output=True, text=True, check=True).stdout
    target = json.loads(told)["target"]["triple"]
    with tempfile.TemporaryDirectory() as out:
        command = ["swift-symbolgraph-extract", "-module-name", module, "-I", modules, "-target", target]
        command += ["-output-dir", out, "-module-cache-path", modules / "cache"]
        command += ["-minimum-access-level", "public", "-skip-synthesized-members"]
        subprocess.run([str(word) for word in command], check=True)
        found = sorted(Path(out).glob("*.symbols.json"))
        return [json.loads(path.read_text(encoding="utf-8")) for path in found]


def main(arguments: list[str]) -> int:
    """Compare, or write; 1 where they differ."""
    folders = [Path(word) for word in arguments if not word.startswith("-")]
    if len(folders) != 1:
        print("usage: dump_api.py MODULES [--write]; MODULES is check.sh's OUT", file=sys.stderr)
        return 2
    differ = False
    for module in LIBRARIES:
        kept, now = API / f"{module}.api", dump(extract(module, folders[0]))
        if "--write" in arguments:
            API.mkdir(exist_ok=True)
            kept.write_text(now, encoding="utf-8")
            continue
        was = kept.read_text(encoding="utf-8") if kept.is_file() else ""
        for sign, some, other in (("-", was, now), ("+", now, was)):
            missing = [line for line in some.splitlines() if line not in set(other.splitlines())]
            for line in missing:
                differ = True
                print(f"{kept.name}: {sign} {line}")
    if differ:
        print("The public API is not the one in SplitKit/api; write it anew with: checks/dump_api.py OUT --write")
    return int(differ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
