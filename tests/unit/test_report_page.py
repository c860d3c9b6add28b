"""report.html: one file, offline, nothing from a report is taken for markup, other bundles' reports stay out."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from toolkit.bundle import Bundle, parse_manifest
from toolkit.page import page, plan
from toolkit.plan.network import Link
from toolkit.plan.options import Choice, price
from toolkit.records.lint import LintReport

CONTRACT = Path(__file__).parents[1] / "contract"
VOID = {"meta", "br", "img", "line", "rect", "circle", "polyline"}
OPTIONAL_ENDS = {"li", "dt", "dd"}


class Checker(HTMLParser):
    """Remembers what is left open, and everything that would be fetched or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.reaching_out: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag in ("script", "link", "iframe", "object") or any(
            name in ("src", "href") or name.startswith("on") for name, _ in attrs
        ):
            self.reaching_out.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    entries = json.loads((CONTRACT / "fixtures.json").read_text())
    entry = next(item for item in entries if item["kind"] == "manifest" and item["verdict"] == "accept")
    manifest = parse_manifest((CONTRACT / entry["file"]).read_bytes(), entry["file"])
    (tmp_path / "reports").mkdir()
    return Bundle(tmp_path, manifest)


def add(bundle: Bundle, name: str, **changes: object) -> None:
    report = json.loads((CONTRACT / "reports" / "latency.json").read_text())
    report["bundle_id"] = bundle.manifest.bundle_id
    (bundle.root / "reports" / name).write_text(json.dumps(report | changes))


def check(path: Path) -> str:
    text = path.read_text()
    checker = Checker()
    checker.feed(text)
    assert checker.reaching_out == []
    assert checker.open == []
    assert not re.search(r"https?://|@import|url\(", text)
    return text


def test_a_bundle_without_reports_still_has_a_page(bundle: Bundle) -> None:
    assert bundle.manifest.split.cut in check(page.render(bundle))


def test_latency_is_drawn_with_its_percentiles(bundle: Bundle) -> None:
    add(bundle, "latency-1.json")
    text = check(page.render(bundle))
    report = json.loads((bundle.root / "reports" / "latency-1.json").read_text())
    for row in report["rows"]:
        assert f"{row['p50_ms']:.3g} / {row['p90_ms']:.3g} / {row['p99_ms']:.3g} ms" in text
    assert "name=viewport" in text
    assert "prefers-color-scheme:dark" in text


def test_markup_in_a_report_stays_text(bundle: Bundle) -> None:
    device = {"kind": "android", "model": "<script>alert(1)</script>", "os": "&<b>", "cpu": '"><img src=x>', "cores": 8}
    add(bundle, "latency-1.json", device=device)
    text = check(page.render(bundle))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_newest_report_of_each_device_counts(bundle: Bundle) -> None:
    device = {"kind": "android", "model": "Phone A", "os": "Android 14", "cpu": "x", "cores": 8}
    add(bundle, "latency-1.json", device=device, created_utc="2026-01-02T00:00:00Z")
    add(bundle, "latency-2.json", device=device, created_utc="2026-01-01T00:00:00Z")
    text = check(page.render(bundle))
    assert "2026-01-02T00:00:00Z" in text
    assert "2026-01-01T00:00:00Z" not in text


def test_reports_of_other_bundles_and_broken_files_stay_out(bundle: Bundle) -> None:
    add(bundle, "latency-1.json", bundle_id="cd" * 32)
    (bundle.root / "reports" / "latency-2.json").write_text("{")
    text = check(page.render(bundle))
    assert "1 reports of an earlier state" in text
    assert "<h2>Latency</h2>" not in text


def test_parity_says_what_failed(bundle: Bundle) -> None:
    row = {"target": "onnx", "precision": "int8", "backend": "cpu", "where": "head", "runtime": "ort", "max_abs": 0.5,
           "sqnr_db": 12.0, "top1_agree": None, "tolerance": "25 dB", "passed": False, "note": ""}  # fmt: skip
    report = {
        "kind": "parity",
        "bundle_id": bundle.manifest.bundle_id,
        "created_utc": "x",
        "rows": [row],
        "passed": False,
    }
    (bundle.root / "reports" / "parity-1.json").write_text(json.dumps(report))
    text = check(page.render(bundle))
    assert "Not all heads passed" in text
    assert "FAILED" in text


def test_a_plan_labels_every_option() -> None:
    choices = [
        Choice("split", f"features.{i}", (8, 4, 4), 5.0 + i, "predicted", 20.0 - i, "measured", 9000 // (i + 1), 2250)
        for i in range(12)
    ]
    choices.append(Choice("edge-only", "all on the phone", None, 90.0, "measured", 0.0, "none", 0))
    rows = [row.model_dump(mode="json") for row in price(choices, Link(20, 40), None, None)]
    drawn = plan.pareto(rows)
    for choice in choices:
        assert re.search(rf"<text [^>]*>[^<]*{re.escape(choice.name)}\b[^<]*</text>", drawn), choice.name
    labels = [(float(x), float(y)) for x, y in re.findall(r'<text x="(\d+)" y="(\d+)" style', drawn)]
    close = [(a, b) for i, a in enumerate(labels) for b in labels[:i] if abs(a[0] - b[0]) < 60 and abs(a[1] - b[1]) < 9]
    assert close == []
    marks = [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn)]
    assert not [(x, y) for x, y in labels for mx, my in marks if x < mx < x + 50 and abs(y - 4 - my) < 5]
    assert plan.timeline(rows).count("<rect") == 18


def test_cuts_that_coincide_share_a_label_and_keep_their_tooltips() -> None:
    choices = [
        Choice("split", f"features.{i}", (8, 4, 4), 5.0, "measured", 20.0, "measured", 9000, 2250) for i in range(5)
    ]
    choices.append(Choice("edge-only", "all on the phone", None, 90.0, "measured", 0.0, "none", 0))
    drawn = plan.pareto([row.model_dump(mode="json") for row in price(choices, Link(20, 40), None, None)])
    assert "features.0 … features.4 (5)" in drawn
    assert all(f"<title>features.{i}: " in drawn for i in range(5))


def lint_report(bundle: Bundle, **changes: object) -> dict:
    finding = {
        "rule": "rank-3-product", "consequence": "known-wrong", "operator": "BATCH_MATMUL", "count": 2, "places": ["7"],
        "shapes": "float32[1,4,4]", "sentence": "Products of rank 3 are <wrong> there.",
        "source": "https://github.com/google-ai-edge/LiteRT/issues/8619",
    }  # fmt: skip
    row = {
        "target": "tflite", "precision": "fp32", "head_backend": "cpu", "backend": "tflite-gpu", "title": "LiteRT GPU",
        "runtime": "", "how": "rules", "ops_total": 63, "ops_taken": 61, "partitions": 2, "findings": [finding],
        "note": "",
    }  # fmt: skip
    unread = row | {"title": "QNN", "how": "not run", "ops_total": None, "ops_taken": None, "partitions": None}
    report = LintReport.model_validate({
        "schema_version": 1, "created_utc": "2026-11-27T00:00:00Z", "bundle_id": bundle.manifest.bundle_id,
        "tools": {}, "rows": [row, unread | {"findings": [], "note": "no compiler here"}], "fail_on": [], "refused": [],
        **changes,
    })  # fmt: skip
    return report.model_dump()


def test_lint_is_drawn_with_its_rules_and_their_sources(bundle: Bundle) -> None:
    refused = lint_report(bundle, fail_on=["known-wrong"], refused=["tflite fp32 on LiteRT GPU: known-wrong"])
    (bundle.root / "reports" / "lint-1.json").write_text(json.dumps(refused))
    text = check(page.render(bundle))
    for shown in ("61 of 63", "known-wrong: BATCH_MATMUL x 2", "are &lt;wrong&gt; there", "LiteRT/issues/8619",
                  "no compiler here", "Refused: 1 of 2 rows."):  # fmt: skip
        assert shown in text
    assert "None" not in text
    (bundle.root / "reports" / "lint-1.json").write_text(json.dumps(lint_report(bundle)))
    assert "Refused" not in check(page.render(bundle))
