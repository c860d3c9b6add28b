"""The first screen of the privacy report, for a person who is no engineer: pictures, bytes, three sentences."""

from __future__ import annotations

from html import escape
from typing import Any

#: PI from which on the page says how well the protection holds
_WORDS = ((0.9, "next to nothing"), (0.6, "little"), (0.3, "a part"), (0.1, "much"), (-1.0, "nearly everything"))
_MEASURES = {
    "recognised": "what the photo shows",
}
_MOST_SHOWN = 3


def screen(report: dict[str, Any]) -> str:
    """Draw the photo, what the attacker makes of it, the message's size, and three sentences."""
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in _sentences(report))
    return f"{_pictures(report['pictures'])}{_size(report['message'])}{sentences}"


def between(interval: list[float] | None) -> str:
    """Write a 95 % interval."""
    return "" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"


def _kept(row: dict[str, Any]) -> str:
    """PA in words, with its interval; reports of before 2026-11-28 have none."""
    interval = row.get("pa_interval")
    return f"{row['pa']:.1%} of that" + (f" (95 %: {interval[0]:.1%} to {interval[1]:.1%})" if interval else "")


def _pictures(pictures: list[dict[str, Any]]) -> str:
    worst = [picture for picture in pictures if picture["rank"] == "worst protected"][:_MOST_SHOWN]
    if not worst:
        return ""
    lines, drawn = "", ""
    for picture in worst:
        shown = dict(picture["rebuilt"])
        before = shown.pop("without protection", None)
        drawn, after = next(iter(shown.items()), ("", None))
        cells = [(picture["photo"], "the photo"), (before, "without protection"), (after, "with protection")]
        lines += "<tr>" + "".join(
            f"<td><img class=big alt='{escape(text)}' src='data:image/png;base64,{escape(data)}'></td>"
            for data, text in cells
            if data
        ) + "</tr>"  # fmt: skip
    return (
        "<table class=pics><tr><th>the photo</th><th>what an attacker rebuilds without protection</th>"
        f"<th>with protection</th></tr>{lines}</table>"
        f"<p class=note>The photos that are protected least, by the strongest attack that draws: {escape(drawn)}.</p>"
    )


def _size(message: dict[str, float]) -> str:
    return (
        f"<p><b>{message['mean']:,.0f} bytes</b> leave the phone for a photo; sending the photo itself would take "
        f"{message['jpeg']:,.0f} as a JPEG file, {message['png']:,.0f} as a PNG.</p>"
    )


def _sentences(report: dict[str, Any]) -> list[str]:
    found, rows = report["headline"], report["rows"]
    first = rows[0] if rows else None
    told = []
    if first is not None:
        told.append(
            f"The service still answers correctly for {first['accuracy']:.1%} of the photos, without protection "
            f"for {first['accuracy_unprotected']:.1%}: {_kept(first)} is left."
        )
    if found is None:
        return [*told, "No attacker that was tried learns anything even without protection."]
    word = next(text for least, text in _WORDS if found["pi"] >= least)
    row = next(
        row for row in rows
        if (row["attack"], row["task"], row["observations"]) == (found["attack"], found["task"], found["observations"])
    )  # fmt: skip
    measure = next(one for one in row["measures"] if one["name"] == found["measure"])
    name = found["measure"]
    if name.startswith("re-identified of "):
        what = f"which of {name.removeprefix('re-identified of ')} photos it was"
    else:
        what = _MEASURES.get(name, f"the photo's {found['task']}")
    told.append(
        f"Of {len(rows)} attacks the strongest learns {word}: it finds out {what} for {measure['attacker']:.0%} of the "
        f"photos, without protection {measure['unprotected']:.0%}, by guessing {measure['chance']:.0%}."
    )
    told.append(
        f"On a scale from 0 (no protection) to 1 (the attacker can only guess) that is {found['pi']:.2f}"
        + (f", with 95 % certainty between {between(found['interval'])}." if found["interval"] else ".")
    )
    return told
