"""Dumps the libraries' public API: dump_api.py [MODULE_FOLDER ...]; --write replaces MODULE/api/MODULE.api.

Explicit-API mode makes every public declaration say `public`, so the sources tell the whole of it. Gradle's binary
validator would read class files instead; it cannot run where Gradle cannot, and this dump is compared in CI. A change
here is a change that callers can see: it belongs in the changelog.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
LIBRARIES = ("splitkit-core", "splitkit-android", "splitkit-executorch", "splitkit-litert")
_TYPE = re.compile(r"\b(class|interface|object)\b")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
#: a text that cannot be mistaken for code
_PLAIN = re.compile(r'"[A-Za-z0-9 ._-]*"')
_STRING = re.compile(r'"""(?:.|\n)*?"""|"(?:[^"\\\n]|\\.)*"')


def dump(module: Path) -> str:
    """The public and overriding declarations of a module, indented as they are nested."""
    lines: list[str] = []
    for path in sorted((module / "src" / "main" / "kotlin").rglob("*.kt")):
        found = _declarations(path.read_text(encoding="utf-8"))
        if found:
            package = re.search(r"^package (\S+)", path.read_text(encoding="utf-8"), re.M)
            lines += [f"// {package.group(1) if package else ''}", *found, ""]
    return "\n".join(lines)


def _declarations(source: str) -> list[str]:
    text = _COMMENT.sub(
        "", _STRING.sub(lambda found: found.group() if _PLAIN.fullmatch(found.group()) else '"…"', source)
    )
    found: list[str] = []
    #: for each open brace, whether public things may stand in it
    open_: list[bool] = []
    at = 0
    for match in re.finditer(r"[{}]|^[ \t]*(?:public|override)\b", text, re.M):
        if match.start() < at:
            continue
        mark = match.group().strip()
        if mark == "}":
            open_.pop()
        elif mark == "{":
            open_.append(False)
        elif mark in {"public", "override"} and all(open_):
            head, at, opens = _head(text, match.start())
            if mark == "public" or open_:
                found.append("    " * len(open_) + head + _constant(head, text, at))
                found += _entries(head, text, at, "    " * (len(open_) + 1)) if opens else []
            if opens:
                open_.append(bool(_TYPE.search(head.split("(")[0])))
    return found


def _constant(head: str, text: str, at: int) -> str:
    """The value of a constant: callers have it compiled into themselves, so another value is another API."""
    return " " + " ".join(text[at : text.index("\n", at)].split()) if head.startswith("public const val") else ""


def _entries(head: str, text: str, at: int, indent: str) -> list[str]:
    """The entries of an enum class, in their order, which callers may rely on; what they are made with is left out."""
    if " enum class " not in f" {head} ":
        return []
    body = re.split(r"[;}]", text[at:], maxsplit=1)[0]
    return [f"{indent}{name}" for name in re.findall(r"\w+", re.sub(r"\([^()]*\)", "", body))]


def _head(text: str, start: int) -> tuple[str, int, bool]:
    """A declaration up to its body or value, on one line; where it ends; whether a block follows."""
    depth, at = 0, start
    while at < len(text):
        char = text[at]
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif depth == 0 and (char in "{=" or (char == "\n" and not re.match(r"\s*[:.]", text[at:]))):
            break
        at += 1
    head = re.sub(r"\s+", " ", text[start:at]).strip()
    head = re.sub(r"\( ", "(", re.sub(r",? \)", ")", head))
    head = re.sub(r"\bprivate va[lr] |\bva[lr] (?=_)| by .*| (?:@\w+ )?get\(\)$| : this\(.*", "", head)
    return head, at + (text[at : at + 1] == "{"), text[at : at + 1] == "{"


def main(arguments: list[str]) -> int:
    """Compare, or write; 1 where they differ."""
    differ = False
    for name in [a for a in arguments if not a.startswith("-")] or LIBRARIES:
        module = HERE / name
        kept, now = module / "api" / f"{module.name}.api", dump(module)
        if "--write" in arguments:
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(now, encoding="utf-8")
        elif not kept.is_file() or kept.read_text(encoding="utf-8") != now:
            differ = True
            print(
                f"{module.name}: the public API is not the one in {kept.relative_to(HERE)}; write it anew with --write"
            )
    return int(differ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
