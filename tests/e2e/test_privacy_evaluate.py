"""evaluate: killed and started again it loses nothing, and the page it draws asks nobody for anything."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
import torch
from PIL import Image
from require import require_tool
from safetensors.torch import save_file

from toolkit.attacks.base import Budget
from toolkit.bundle import Bundle
from toolkit.datasets.digits import _read
from toolkit.evaluate.report import evaluate
from toolkit.evaluate.settings import EFFORTS, EvaluateSettings
from toolkit.families import cifar_alexnet
from toolkit.page.page import render
from toolkit.records import schemas

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PRIPRO = (sys.executable, "-m", "toolkit.cli.main")
SMALL = (*("--effort", "quick", "--attacker-images", "60", "--test-images", "60", "--observations", "3", "--json"),)
#: without averaging, which trains on every look anew and takes three times as long as these
ATTACKS = ("--attack", "residual_decoder,attribute,message_length")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def _run(*words: object) -> str:
    command = [*PRIPRO, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    torch.manual_seed(0)
    save_file(cifar_alexnet.build(1, 10).state_dict(), folder / "weights.safetensors")
    made = folder / "bundle"
    _run("partition", "cifar_alexnet", "--weights", folder / "weights.safetensors", "--input", "1x32x32",
         "--cut", "features.12", "-o", made)  # fmt: skip
    _run("protect", made, "--method", "pripro", "--data", "digits", "--epochs", "1", "--anyway")
    return made


@pytest.fixture(scope="module")
def whole(bundle):
    """A bundle evaluated without a break, and its report."""
    copy = bundle.with_name("whole")
    shutil.copytree(bundle, copy)
    return copy, json.loads(_run("evaluate", copy, *SMALL, *ATTACKS))


def test_killed_and_started_again_it_loses_nothing(bundle, whole):
    copy = bundle.with_name("killed")
    shutil.copytree(bundle, copy)
    cache = copy / "reports" / ".evaluate-cache"
    command = [*PRIPRO, "evaluate", str(copy), *SMALL, *ATTACKS]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, env=ENVIRONMENT)
    deadline = time.monotonic() + 300
    while running.poll() is None and len(list(cache.glob("*.safetensors"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not list((copy / "reports").glob("privacy-*.json")), "it ended before it was killed"
    kept = {path.name: path.stat().st_mtime_ns for path in cache.glob("*.safetensors")}
    assert kept
    report = json.loads(_run("evaluate", copy, *SMALL, *ATTACKS))
    assert all((cache / name).stat().st_mtime_ns == moment for name, moment in kept.items())
    assert report["rows"] == whole[1]["rows"]
    assert report["curves"] == whole[1]["curves"]


def test_protected_anew_only_what_is_new_is_attacked(whole):
    copy = whole[0].with_name("anew")
    shutil.copytree(whole[0], copy)
    cache = copy / "reports" / ".evaluate-cache"
    before = {path.name for path in cache.glob("*.safetensors")}
    _run("protect", copy, "--method", "gaussian", "--data", "digits", "--anyway")
    report = json.loads(_run("evaluate", copy, *SMALL, *ATTACKS))
    made = {path.name for path in cache.glob("*.safetensors")} - before
    assert _unprotected(report) == _unprotected(whole[1])
    # the decoder and the classifier of unprotected features: a message length is one of protected bundles
    assert len(before) - len(made) == 2


def _unprotected(report):
    return {
        (row["attack"], row["task"], measure["name"]): measure["unprotected"]
        for row in report["rows"]
        for measure in row["measures"]
    }


@pytest.fixture(scope="module")
def tabled(tmp_path_factory) -> Path:
    """A folder of digits, and a table that says of each whether it has a loop, and how dark it is."""
    root = tmp_path_factory.mktemp("tabled")
    pixels, labels = _read()
    lines = ["path,loop,dark"]
    # 80 of each class, spread over the set
    for number in range(0, len(labels), 6):
        name = f"{labels[number]}/{number}.png"
        (root / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[number]).save(root / "photos" / name)
        loop = "loop" if labels[number] in (0, 6, 8, 9) else "none"
        lines.append(f"{name},{loop},{'dark' if pixels[number].mean() > 33 else 'light'}")
    (root / "facts.csv").write_text("\n".join(lines) + "\n")
    return root


def test_attributes_of_the_users_own_table(demo_bundle, tabled, tmp_path):
    """On the demo's network: one with weights that nobody trained is refused, as near chance."""
    copy = tmp_path / "bundle"
    shutil.copytree(demo_bundle, copy)
    words = ["--attack", "attribute", "--data", f"folder:{tabled / 'photos'}", *SMALL]
    for column in ("loop", "dark"):
        words += ["--attribute", f"{tabled / 'facts.csv'}:{column}"]
    report = json.loads(_run("evaluate", copy, *words, "--attacker-images", "300", "--test-images", "150"))
    assert len({row["task"] for row in report["rows"]}) == 2
    for row in report["rows"]:
        (measure,) = row["measures"]
        low, high = measure["interval"]
        assert 0.3 < measure["chance"] < 1
        assert low <= measure["attacker"] <= high
    first = {row["task"].split()[0]: row["measures"][0] for row in report["rows"]}
    loop, dark = first["loop"], first["dark"]
    # the network itself tells which digit it is, hence whether it has a loop
    assert loop["unprotected"] > loop["chance"] + 0.15
    assert loop["pi_interval"][0] <= loop["pi"] <= loop["pi_interval"][1]
    assert dark["pi"] is None or dark["pi_interval"][0] <= dark["pi"] <= dark["pi_interval"][1]


WRONG = {
    "has no value for": ("path,loop\n0/0.png,loop\n", "loop"),
    "no row": ("path,loop\n", "loop"),
    "no column": (None, "form"),
}


@pytest.mark.parametrize("says", WRONG)
def test_a_wrong_table_is_refused_before_anything_is_written(demo_bundle, tabled, tmp_path, says):
    text, column = WRONG[says]
    table = tabled / "facts.csv" if text is None else tmp_path / "wrong.csv"
    if text is not None:
        table.write_text(text)
    copy = tmp_path / "bundle"
    shutil.copytree(demo_bundle, copy)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()}
    done = subprocess.run(
        [*PRIPRO, "evaluate", str(copy), "--data", f"folder:{tabled / 'photos'}", "--attribute", f"{table}:{column}",
         *SMALL],
        capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert not [path for path in copy.rglob("*.json") if path not in before]


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]


def test_codes_on_the_wire_are_attacked_as_codes(bundle, whole):
    copy = bundle.with_name("codes")
    shutil.copytree(whole[0], copy)
    report = json.loads(_run("evaluate", copy, *SMALL, "--attack", "attribute", "--wire", "uint8"))
    assert report["wire"] == "uint8"
    rows = [row for row in whole[1]["rows"] if row["attack"] == "attribute"]
    assert [row["attacker_unprotected"] for row in report["rows"]] == [row["attacker_unprotected"] for row in rows]
    # 8 bits of features that are mostly noise: another figure than with float32, and not far from it
    assert report["rows"] != rows
    assert abs(report["rows"][0]["pa"] - rows[0]["pa"]) < 0.05


def test_the_page_shows_pictures_and_asks_nobody(whole):
    page = (whole[0] / "report.html").read_text()
    links = _Links()
    links.feed(page)
    assert len(links.found) > 9  # the first screen has nine, the details have more
    assert all(link.startswith("data:image/png;base64,") for link in links.found)
    assert not re.search(r"<script|@import|url\(", page)
    for part in ("bytes</b> leave the phone", "What the attacker sees", "W_A"):
        assert part in page
    assert page.index("leave the phone") < page.index("Every attack") < page.index("What the attacker sees")


def test_the_report_is_what_its_schema_says(whole):
    path = next((whole[0] / "reports").glob("privacy-*.json"))
    schema = json.loads((schemas.FOLDER / "privacy.schema.json").read_text())
    report = json.loads(path.read_text())
    jsonschema.Draft202012Validator(schema).validate(report)
    measures = [measure for row in report["rows"] for measure in row["measures"]]
    found = [measure["pi"] for measure in measures if measure["pi"] is not None]
    assert report["headline"] is None or report["headline"]["pi"] == min(found)
    for measure in measures:
        low, high = measure["interval"]
        assert low <= measure["attacker"] <= high


def test_the_learning_curve_has_an_interval_at_each_point(demo_bundle, tmp_path, monkeypatch):
    shutil.copytree(demo_bundle, tmp_path / "bundle")
    small = replace(EFFORTS["standard"], budget=Budget(steps=12, rounds=1, rates=(3e-3,), width=16))
    monkeypatch.setitem(EFFORTS, "standard", small)
    chosen = EvaluateSettings(attacks=("attribute",), attributes=("label",), attacker_images=80, test_images=80)
    opened = Bundle.open(tmp_path / "bundle")
    report = evaluate(opened, chosen)
    assert [point.photos for point in report.learning] == [20, 40, 80]
    for point in report.learning:
        assert point.interval[0] <= point.attacker <= point.interval[1]
        assert point.pi_interval[0] <= point.pi <= point.pi_interval[1]
    assert report.learning[-1].pi == report.headline.pi
    assert report.learning[-1].pi_interval == report.headline.interval
    assert report.judge_interval[0] <= report.judge_accuracy <= report.judge_interval[1]
    assert all(row.accuracy_interval[0] <= row.accuracy <= row.accuracy_interval[1] for row in report.rows)
    opened.add_report(report)
    low, high = report.learning[0].pi_interval
    assert f"{low:.2f} to {high:.2f}" in render(opened).read_text()


def test_every_way_to_send_a_photo_has_its_bytes_and_accuracy(whole):
    root, report = whole[0], whole[1]
    ways: dict[str, list] = {}
    for point in report["rates"]:
        ways.setdefault(point["way"], []).append(point)
    assert list(ways) == ["message", "float32 features", "uint8 features", "JPEG", "WebP"]
    assert ways["message"][0]["bytes"] == pytest.approx(report["message"]["mean"], rel=0.05)
    assert ways["float32 features"][0]["bytes"] == 4 * ways["uint8 features"][0]["bytes"]
    for way in ("JPEG", "WebP"):
        sizes = [point["bytes"] for point in ways[way]]
        assert sizes == sorted(sizes)
        assert ways[way][-1]["accuracy"] > 0.9 * ways["float32 features"][0]["accuracy"]
    page = (root / "report.html").read_text()
    assert "Accuracy against bytes" in page
    assert "WebP, quality 75" in page


def test_the_page_opens_in_a_browser(whole, tmp_path):
    chromium = require_tool("chromium", "apt-get install chromium")
    shot = tmp_path / "page.png"
    done = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=390,2400",
         f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={shot}", (whole[0] / "report.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert shot.stat().st_size > 10_000
    assert "CONSOLE" not in done.stderr
