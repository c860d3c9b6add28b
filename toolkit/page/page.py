"""report.html: every report of a bundle on one page that opens offline, on a phone too.

The kind of a report names the file that draws it: `latency` -> latency.py, `device-parity` -> device_parity.py.
Each has `section(reports, bundle) -> str`, given the parsed JSON of all reports of its kind, oldest first.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from ..bundle import Bundle, now_utc, write_atomically

#: order on the page; other kinds follow in the order of their names
ORDER = ("parity", "device-parity", "privacy", "latency", "lint", "plan")


def render(bundle: Bundle) -> Path:
    """Write BUNDLE/report.html from reports/*.json and return its path."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    foreign = 0
    for report in _reports(bundle):
        if report.get("bundle_id") != bundle.manifest.bundle_id:
            foreign += 1
            continue
        kinds.setdefault(str(report.get("kind")), []).append(report)
    ordered = [kind for kind in ORDER if kind in kinds] + sorted(set(kinds) - set(ORDER))
    sections = [text for kind in ordered if (text := _section(kind, kinds[kind], bundle))]
    if foreign:
        sections.append(f"<p class=note>{foreign} reports of an earlier state of this bundle are left out.</p>")
    path = bundle.root / "report.html"
    write_atomically(
        path, page(f"pripro report: {bundle.manifest.model.source}", _head(bundle) + "".join(sections)).encode()
    )
    return path


def page(title: str, body: str) -> str:
    """Put a body into the one self-contained page."""
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_CSS}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )


def table(columns: list[str], rows: list[list[str]], numbers_from: int = 1) -> str:
    """Draw a table that scrolls sideways on its own; cells are text and get escaped here."""
    head = "".join(f"<th{_side(i, numbers_from)}>{escape(name)}</th>" for i, name in enumerate(columns))
    lines = (
        "<tr>" + "".join(f"<td{_side(i, numbers_from)}>{escape(cell)}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"


def _side(index: int, numbers_from: int) -> str:
    return " class=n" if index >= numbers_from else ""


def _reports(bundle: Bundle) -> Iterator[dict[str, Any]]:
    for path in sorted((bundle.root / "reports").glob("*.json")):
        try:
            report = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(report, dict):
            yield report


def _section(kind: str, reports: list[dict[str, Any]], bundle: Bundle) -> str:
    name = kind.replace("-", "_")
    if not name.isidentifier() or name == "page" or importlib.util.find_spec(f"{__package__}.{name}") is None:
        return ""
    ordered = sorted(reports, key=lambda report: str(report.get("created_utc")))
    text: str = importlib.import_module(f"{__package__}.{name}").section(ordered, bundle)
    return text


def _head(bundle: Bundle) -> str:
    manifest = bundle.manifest
    protection = manifest.protection.method if manifest.protection is not None else "none"
    shape = " x ".join(str(size) for size in manifest.smashed.shape[1:])
    facts = [
        ("cut", manifest.split.cut),
        ("smashed features", shape),
        ("protection", protection),
        ("heads", ", ".join(f"{head.target} {head.precision}" for head in manifest.heads) or "none"),
        ("bundle", manifest.bundle_id[:16]),
        ("written", now_utc()),
    ]
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f"<dl>{items}</dl>"


# Okabe-Ito colours: told apart with any kind of colour vision
_CSS = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1b1b;--dim:#5c5c5c;--line:#d5d5d5;--a:#0072b2;--b:#e69f00;--c:#009e73;--bad:#d55e00}
@media(prefers-color-scheme:dark){:root{--bg:#141414;--fg:#ececec;--dim:#a8a8a8;--line:#3a3a3a;--a:#56b4e9;--b:#e69f00;--c:#2fc79b;--bad:#ff8a3d}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.2rem;border-top:1px solid var(--line);padding-top:1rem}
h3{font-size:1rem}dl{display:grid;grid-template-columns:auto 1fr;gap:.1rem 1rem}dt,.note{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;overflow-wrap:normal}td:first-child{min-width:9rem}.n{text-align:right;white-space:nowrap}
.bad{color:var(--bad);font-weight:600}svg{display:block;width:100%;height:auto;max-width:34rem}svg text{fill:var(--fg);font:12px system-ui,sans-serif}
svg .dim{fill:var(--dim)}svg line,svg polyline{stroke:var(--fg);fill:none}img{max-width:100%;height:auto}
"""  # noqa: E501 - style sheets read best a rule a line
