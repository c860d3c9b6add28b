"""Lints the Xcode project without Xcode: syntax, references, files, plists, the scheme. No package is needed."""

from __future__ import annotations

import os
import plistlib
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
Value = "str | list[Value] | dict[str, Value]"
_TOKEN = re.compile(
    r'\s+|//[^\n]*|/\*.*?\*/|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z0-9_.$/]+)|(?P<mark>[{}()=;,])', re.S
)


class LintError(Exception):
    """One sentence about what does not fit."""


def parse(text: str) -> Value:
    """Read the old property list syntax that project files are written in."""
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            line = text.count("\n", 0, at) + 1
            raise LintError(f"project.pbxproj, line {line}: {text[at : at + 20]!r} is no property list")
        if match.lastgroup:
            tokens.append(match.group())
        at = match.end()
    tokens.reverse()
    value = _value(tokens)
    if tokens:
        raise LintError(f"project.pbxproj goes on after its end: {tokens[-1]!r}")
    return value


def _expect(tokens: list[str], mark: str) -> None:
    found = tokens.pop() if tokens else "nothing"
    if found != mark:
        raise LintError(f"project.pbxproj: expected {mark!r}, found {found!r}")


def _value(tokens: list[str]) -> Value:
    word = tokens.pop() if tokens else ""
    if word == "{":
        record: dict[str, Value] = {}
        while tokens and tokens[-1] != "}":
            key = _value(tokens)
            if not isinstance(key, str) or key in record:
                raise LintError(f"project.pbxproj: the key {key!r} is no string or comes twice")
            _expect(tokens, "=")
            record[key] = _value(tokens)
            _expect(tokens, ";")
        _expect(tokens, "}")
        return record
    if word == "(":
        items: list[Value] = []
        while tokens and tokens[-1] != ")":
            items.append(_value(tokens))
            if tokens and tokens[-1] != ")":
                _expect(tokens, ",")
        _expect(tokens, ")")
        return items
    if not word or word in "})=;,":
        raise LintError(f"project.pbxproj: a value is missing before {word!r}")
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word


def lint(folder: Path = HERE) -> list[str]:
    """Check everything; returns what was checked.

    Raises:
        LintError: the first thing that does not fit.
    """
    project = next(folder.glob("*.xcodeproj"))
    root = parse((project / "project.pbxproj").read_text(encoding="utf-8"))
    if not isinstance(root, dict) or root.get("objectVersion") != "77":
        raise LintError("project.pbxproj is not of objectVersion 77 (Xcode 16)")
    objects = root["objects"]
    ids = set(objects)
    for name, record in objects.items():
        for key, value in record.items():
            for item in _strings(value):
                if re.fullmatch(r"[0-9A-F]{24}", item) and item not in ids:
                    raise LintError(f"{name}.{key} names the object {item}, which does not exist")
    paths = _paths(objects, objects[root["rootObject"]]["mainGroup"], folder)
    for record in objects.values():
        if record["isa"] == "XCLocalSwiftPackageReference":
            paths.append(folder / record["relativePath"] / "Package.swift")
            _check_products(objects, folder / record["relativePath"])
        if record["isa"] == "XCBuildConfiguration":
            settings = record["buildSettings"]
            _check_simulator(settings)
            paths += [folder / settings[key] for key in ("INFOPLIST_FILE", "CODE_SIGN_ENTITLEMENTS") if key in settings]
    for path in paths:
        if not path.exists():
            raise LintError(f"the project references {os.path.relpath(path, folder)}, which does not exist")
    plists = [
        path for pattern in ("*.plist", "*.entitlements", "*.xcprivacy") for path in (folder / "App").rglob(pattern)
    ]
    for path in plists:
        try:
            plistlib.loads(path.read_bytes())
        except Exception as error:
            raise LintError(f"{path.relative_to(folder)} is no property list: {error}") from error
    for path in project.rglob("*.xcscheme"):
        for reference in ElementTree.parse(path).iter("BuildableReference"):  # noqa: S314 - our own file
            if reference.get("BlueprintIdentifier") not in ids:
                raise LintError(f"{path.name} builds a target that does not exist")
    return sorted({os.path.relpath(path, folder) for path in [*paths, *plists]})


def _strings(value: Value) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value
    return [text for item in items for text in _strings(item)]


def _paths(objects: dict[str, dict[str, Value]], group: str, folder: Path) -> list[Path]:
    """Every file and folder that a group names, groups within it included."""
    record = objects[group]
    here = folder / record.get("path", "")
    if record.get("sourceTree") == "BUILT_PRODUCTS_DIR":
        return []
    found = [here] if "path" in record else []
    for child in record.get("children", []):
        found += _paths(objects, child, here)
    return found


def _check_simulator(settings: dict[str, Value]) -> None:
    """ExecuTorch has no x86_64 slice for the simulator, and a Release build would ask for one."""
    if "PRODUCT_BUNDLE_IDENTIFIER" in settings and settings.get("EXCLUDED_ARCHS[sdk=iphonesimulator*]") != "x86_64":
        raise LintError("ExecuTorch has no slice for x86_64 simulators; exclude that architecture")


def _check_products(objects: dict[str, dict[str, Value]], package: Path) -> None:
    manifest = (package / "Package.swift").read_text(encoding="utf-8")
    offered = set(re.findall(r'\.library\(name: "(\w+)"', manifest))
    for record in objects.values():
        if record["isa"] == "XCSwiftPackageProductDependency":
            reference = objects[record["package"]]
            if reference["isa"] == "XCLocalSwiftPackageReference" and record["productName"] not in offered:
                raise LintError(f"the app links {record['productName']}, which {package.name} does not offer")


if __name__ == "__main__":
    try:
        print("\n".join(lint(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE)))
    except LintError as failure:
        raise SystemExit(f"error: {failure}") from None
