"""Privacy: what each attacker gets, in figures and in pictures, with and without protection."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from ..bundle import Bundle
from . import privacy_screen, rates
from .page import table

#: Okabe-Ito, and a mark each, so that a curve is known without its colour
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
_MARKS = ("●", "■", "▲", "◆", "▼", "✚", "★")
#: cividis (Nunez et al., 2018), from blue to yellow: even for any kind of colour vision
_CIVIDIS = np.array([[0, 34, 78], [61, 78, 108], [124, 123, 120], [188, 175, 111], [254, 232, 56]], dtype=float)
_STYLE = (
    "<style>.px{image-rendering:pixelated;width:56px;height:56px;max-width:none;object-fit:contain;background:#000}"
    ".pics td,.pics th{text-align:center;padding:.15rem .3rem;font-weight:400}"
    ".big{image-rendering:pixelated;width:112px;height:112px;max-width:28vw;object-fit:contain;background:#000}</style>"
)
_WIDE, _HIGH, _LEFT, _LOW = 600, 300, 44, 40


def section(reports: list[dict[str, Any]], bundle: Bundle) -> str:
    """Draw the newest privacy report: one screen for everybody, then the details."""
    report = reports[-1]
    floors = "; ".join(map(_floor, report["floors"]))
    return (
        f"{_STYLE}<h2>Privacy</h2>{privacy_screen.screen(report)}<h3>Every attack</h3>"
        f"<p class=note>{escape(report['definitions'])}</p>{_attacks(report['rows'])}"
        f"<p class=note>Without any attack: {escape(floors)}. Whoever knows the user's answer can draw the mean photo "
        "of its class; an attack that scores less made less of the messages than that.</p>"
        f"{_learning(report)}{_pictures(report['pictures'])}{_heat_maps(report['heat_maps'])}{_curves(report['curves'])}"
        f"{rates.curve(report.get('rates', []))}"
        f"{''.join(_distribution(row) for row in report['rows'] if row['pi_inputs'])}{_trainings(report['rows'])}"
        f"<p class=note>{escape(report['created_utc'])}; effort {escape(report['effort'])}; data "
        f"{escape(report['data'])}; {report['attacker_images']} "
        f"attacker and {report['test_images']} test images, apart from the victim's; seed {report['seed']}; the judge, "
        f"the user's own network before protection, {_judge(report)}; "
        f"on the wire: {escape(report['wire'])}; noise: {escape(report['noise'])}; took {report['seconds']:.0f} s, "
        f"estimated {report['estimated_seconds']:.0f} s.</p>"
    )


def _judge(report: dict[str, Any]) -> str:
    if report.get("judged_by", "labels") == "answers":
        return "recognises a picture if it answers as it does to the real photo (no labels, or no classes)"
    sure = privacy_screen.between(report.get("judge_interval"))
    return f"recognises {report['judge_accuracy']:.1%} of the real test images (95 %: {sure})"


def _floor(floor: dict[str, Any]) -> str:
    interval = floor.get("ssim_interval"), floor.get("recognised_interval")
    told = [f" (95 %: {privacy_screen.between(one)})" if one else "" for one in interval]
    return f"{floor['name']}: SSIM {floor['ssim']:.3f}{told[0]}, recognised {floor['recognised']:.1%}{told[1]}"


def _attacks(rows: list[dict[str, Any]]) -> str:
    columns = [
        "attack", "task", "measure", "messages", "attacker", "95 %", "unprotected", "chance", "answer alone", "PI",
        "95 %", "SSIM", "unprotected", "PSNR dB", "feature distance",
    ]  # fmt: skip
    cells = [
        [
            row["attack"], row["task"], measure["name"], str(row["observations"]),
            _share(measure["attacker"]), privacy_screen.between(measure["interval"]), _share(measure["unprotected"]),
            _share(measure["chance"]), _share(measure["floor"]), _share(measure["pi"]),
            privacy_screen.between(measure["pi_interval"]),
            *(("", "", "", "") if number else _likeness(row)),
        ]
        for row in rows
        for number, measure in enumerate(row["measures"])
    ]  # fmt: skip
    return table(columns, cells, 3)


def _likeness(row: dict[str, Any]) -> tuple[str, str, str, str]:
    decibels = "" if row["psnr_db"] is None else f"{row['psnr_db']:.1f}"
    return _share(row["ssim"]), _share(row["ssim_unprotected"]), decibels, _share(row["feature_distance"])


def _learning(report: dict[str, Any]) -> str:
    """Would more photos have helped the strongest attacker?"""
    points = report["learning"]
    if not points:
        return "<p class=note>This effort does not try the strongest attacker with fewer photos.</p>"
    between = privacy_screen.between
    cells = [
        [
            str(point["photos"]), _share(point["attacker"]), between(point.get("interval")), _share(point["pi"]),
            between(point.get("pi_interval")),
        ]
        for point in points
    ]  # fmt: skip
    columns = ["photos", "attacker", "95 %", "PI", "95 %"]
    return (
        f"<h3>The strongest attacker with fewer photos</h3>{table(columns, cells, 0)}"
        "<p class=note>Where PI still falls with the number of photos, an attacker with more would do better.</p>"
    )


def _trainings(rows: list[dict[str, Any]]) -> str:
    cells = [
        [
            row["attack"], row["task"], one["what"], str(one["photos"]), f"{one['rate']:g}", str(one["steps"]),
            "yes" if one["converged"] else "no", " ".join(f"{loss:.3g}" for loss in one["losses"]),
        ]
        for row in rows
        for one in row["trainings"]
    ]  # fmt: skip
    columns = ["attack", "task", "part", "photos", "rate", "steps", "converged", "validation loss, start to end"]
    return f"<h3>How the attackers were trained</h3>{table(columns, cells, 3)}" if cells else ""


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _pictures(pictures: list[dict[str, Any]]) -> str:
    if not pictures:
        return ""
    names = [name for name, _ in pictures[0]["rebuilt"]]
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", "photo", *names))
    lines = "".join(
        f"<tr><td>{escape(picture['rank'])}<br><span class=note>SSIM {picture['ssim']:.2f}</span></td>"
        f"<td>{_image(picture['photo'], 'test photo')}</td>"
        + "".join(f"<td>{_image(data, name)}</td>" for name, data in picture["rebuilt"])
        + "</tr>"
        for picture in pictures
    )
    return (
        "<h3>What the attacker sees</h3><p class=note>Rows are chosen by the SSIM of the first protected "
        f"reconstruction.</p><div class=scroll><table class=pics><tr>{head}</tr>{lines}</table></div>"
    )


def _heat_maps(maps: list[dict[str, Any]]) -> str:
    if not maps:
        return ""
    photos = "".join(f"<td>{_image(one['photo'], 'test photo')}</td>" for one in maps)
    weights = "".join(f"<td>{_image(_coloured(one['weight']), 'W_A')}</td>" for one in maps)
    means = "".join(f"<td>{one['mean']:.2f}</td>" for one in maps)
    return (
        f"<h3>W_A: where noise replaces the features</h3><div class=scroll><table class=pics><tr>{photos}</tr>"
        f"<tr>{weights}</tr><tr>{means}</tr></table></div><p class=note>Blue {maps[0]['low']:.2f} to "
        f"yellow {maps[0]['high']:.2f}: share of noise, 1 = replaced; below: the mean of the photo.</p>"
    )


def _coloured(data: str) -> str:
    gray = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"), dtype=float) / 255
    stops = np.linspace(0, 1, len(_CIVIDIS))
    colours = np.stack([np.interp(gray, stops, _CIVIDIS[:, channel]) for channel in range(3)], axis=-1)
    buffer = io.BytesIO()
    Image.fromarray(colours.round().astype(np.uint8)).save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _image(data: str, text: str) -> str:
    return f'<img class=px alt="{escape(text)}" src="data:image/png;base64,{escape(data)}">'


def _curves(points: list[dict[str, Any]]) -> str:
    points = [point for point in points if point["pi"] is not None]
    if not points:
        return ""
    methods = list(dict.fromkeys(point["method"] for point in points))
    low = max(min(point["pa"] for point in points) - 0.02, 0.0)

    def place(point: dict[str, Any]) -> tuple[float, float]:
        x = _LEFT + (point["pa"] - low) / max(1.02 - low, 1e-6) * (_WIDE - _LEFT - 10)
        return x, 10 + (1 - point["pi"]) * (_HIGH - _LOW - 10)

    drawn = []
    for index, method in enumerate(methods):
        colour, mark = _COLOURS[index % len(_COLOURS)], _MARKS[index % len(_MARKS)]
        mine = sorted((point for point in points if point["method"] == method), key=lambda point: point["strength"])
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, mine))
        drawn.append(f'<polyline points="{line}" style="stroke:{colour};stroke-width:2"/>')
        drawn += [
            f'<text x="{x:.1f}" y="{y + 5:.1f}" text-anchor="middle" style="fill:{colour};font-size:16px">{mark}'
            f"<title>{escape(method)} strength {point['strength']:.3g}: PA {point['pa']:.3f}, PI {point['pi']:.3f}"
            "</title></text>"
            for point in mine
            for x, y in [place(point)]
        ]
        drawn.append(
            f'<text x="{_LEFT + 10}" y="{26 + 18 * index}" style="fill:{colour};font-weight:600">'
            f"{mark} {escape(method)}</text>"
        )
    ticks = "".join(
        f'<text class=dim x="{_LEFT - 6}" y="{14 + (1 - share) * (_HIGH - _LOW - 10):.0f}" text-anchor="end">'
        f"{share:g}</text>"
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    return (
        "<h3>PA against PI over the noise's strength</h3><p class=note>Attribute inference, one look, retrained at "
        "every point; further up and to the right is better.</p>"
        f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="PA on x, PI on y, one curve per method">'
        f'{ticks}<line x1="{_LEFT}" x2="{_WIDE}" y1="{_HIGH - _LOW}" y2="{_HIGH - _LOW}"/>'
        f'<line x1="{_LEFT}" x2="{_LEFT}" y1="10" y2="{_HIGH - _LOW}"/>'
        f'<text class=dim x="{_LEFT}" y="{_HIGH - 20}">PA {low:.2f}</text>'
        f'<text class=dim x="{_WIDE - 4}" y="{_HIGH - 20}" text-anchor="end">PA 1.02</text>{"".join(drawn)}</svg>'
    )


def _distribution(row: dict[str, Any]) -> str:
    counts = np.histogram(row["pi_inputs"], bins=20, range=(0, 1))[0]
    highest = max(int(counts.max()), 1)
    width = (_WIDE - _LEFT) / len(counts)
    bars = "".join(
        f'<rect x="{_LEFT + index * width + 1:.1f}" width="{width - 2:.1f}" y="{110 - 100 * count / highest:.1f}" '
        f'height="{100 * count / highest:.1f}" style="fill:var(--a)"><title>{count} photos</title></rect>'
        for index, count in enumerate(counts)
    )
    looks = "one look" if row["observations"] == 1 else f"{row['observations']} looks"
    return (
        f"<h3>PI of single photos: {escape(row['attack'])}, {escape(row['task'])}, {looks}</h3>"
        f'<svg viewBox="0 0 {_WIDE} 140" role="img" aria-label="Histogram of PI per photo">{bars}'
        f'<line x1="{_LEFT}" x2="{_WIDE}" y1="110" y2="110"/>'
        f'<text class=dim x="{_LEFT}" y="128">PI 0: not hindered</text>'
        f'<text class=dim x="{_WIDE - 4}" y="128" text-anchor="end">PI 1: reduced to chance</text></svg>'
        f"<p class=note>{len(row['pi_inputs'])} photos; mean {row['pi_inputs_mean']:.3f}, "
        f"worst 5 % {row['pi_worst5']:.3f}, worst 1 % {row['pi_worst1']:.3f}.</p>"
    )
