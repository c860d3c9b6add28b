"""Draws the app's four screens from its own layouts and texts, with a bundle's golden row as content.

    python android_demo/docs/draw_screens.py build/demo android_demo/docs/screens.svg

These are drawings, not screenshots: what stands where comes from res/layout, fonts and buttons are only alike.
Times are shown as "?", because nothing is timed here.
"""

from __future__ import annotations

import base64
import io
import json
import math
import re
import sys
import xml.etree.ElementTree as ET  # the project's own layout files
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

RES = Path(__file__).parents[1] / "app/src/main/res"
ANDROID = "{http://schemas.android.com/apk/res/android}"
WIDTH, HEIGHT, GAP, TITLE = 360, 640, 30, 40


@dataclass
class View:
    """One element of a layout, styles resolved."""

    kind: str
    attributes: dict[str, str]
    children: list[View] = field(default_factory=list)

    def get(self, name: str, otherwise: str = "") -> str:
        """Return an attribute's value."""
        return self.attributes.get(name, otherwise)

    @property
    def id(self) -> str:
        """Return the bare id."""
        return self.get("id").rpartition("/")[2]


class Resources:
    """Strings, styles and layouts of the app."""

    def __init__(self) -> None:
        texts = ET.parse(RES / "values/strings.xml").getroot()  # noqa: S314
        self.strings = {item.get("name"): (item.text or "").replace("\\'", "'").replace("\\n", "\n") for item in texts}
        styles = ET.parse(RES / "values/styles.xml").getroot()  # noqa: S314
        self.styles = {style.get("name"): self._items(style) for style in styles}

    @staticmethod
    def _items(style: ET.Element) -> dict[str, str]:
        return {(item.get("name") or "").removeprefix("android:"): item.text or "" for item in style}

    def layout(self, name: str) -> View:
        """Read a layout, with its includes in place."""
        return self._view(ET.parse(RES / f"layout/{name}.xml").getroot())  # noqa: S314

    def _view(self, element: ET.Element) -> View:
        if element.tag == "include":
            return self.layout((element.get("layout") or "").rpartition("/")[2])
        style = (element.get("style") or "").removeprefix("@style/")
        parts = style.split(".")
        attributes: dict[str, str] = {}
        for depth in range(1, len(parts) + 1):
            attributes |= self.styles.get(".".join(parts[:depth]), {})
        attributes |= {key.removeprefix(ANDROID): value for key, value in element.attrib.items()}
        return View(element.tag, attributes, [self._view(child) for child in element])

    def text(self, value: str) -> str:
        """Resolve @string/name."""
        return self.strings[value.removeprefix("@string/")] if value.startswith("@string/") else value


def dp(text: str, otherwise: float = 0) -> float:
    """Read "12dp"."""
    found = re.fullmatch(r"([0-9.]+)(dp|sp)", text)
    return float(found[1]) if found else otherwise


class Screen:
    """One screen being laid out and drawn, as android.widget.LinearLayout does it."""

    def __init__(self, resources: Resources, texts: dict[str, str], pictures: dict[str, Image.Image], tab: str) -> None:
        self.resources, self.texts, self.pictures, self.tab = resources, texts, pictures, tab
        self.svg: list[str] = []

    def height(self, view: View, width: float) -> float:
        """Return what wrap_content takes."""
        pad = dp(view.get("padding"))
        if view.kind == "LinearLayout":
            inner = [self.outer(child, width - 2 * pad) for child in view.children]
            return 2 * pad + (sum(inner) if view.get("orientation") == "vertical" else max(inner))
        if view.kind == "FrameLayout":
            return max(self.outer(child, width) for child in view.children)
        if view.kind == "TextView":
            lines = len(self.lines(view, width))
            return dp(view.get("paddingTop")) + lines * self.size(view) * 1.33
        return {"Button": 48, "EditText": 48, "Spinner": 48, "ProgressBar": 16}.get(view.kind, 0)

    def outer(self, view: View, width: float) -> float:
        """Return the height that a child wants from its parent."""
        if view.get("visibility") == "gone":
            return 0
        fixed = dp(view.get("layout_height"), -1)
        return fixed if fixed > 0 else self.height(view, width)

    def size(self, view: View) -> float:
        """Return the text's size."""
        return dp(view.get("textSize"), 15)

    def lines(self, view: View, width: float) -> list[str]:
        """Fold the view's text to its width."""
        text = self.texts.get(view.id, self.resources.text(view.get("text")))
        most = max(int(width / (self.size(view) * (0.6 if view.get("typeface") else 0.5))), 1)
        folded: list[str] = []
        for line in text.split("\n"):
            words, row = line.split(" ") if not view.get("typeface") else [line], ""
            for word in words:
                if row and len(row) + 1 + len(word) > most:
                    folded.append(row)
                    row = word
                else:
                    row = f"{row} {word}" if row else word
            folded.append(row)
        return folded

    def draw(self, view: View, x: float, y: float, width: float, height: float) -> None:
        """Draw a view into its box."""
        if view.get("visibility") in ("gone", "invisible"):
            return
        match view.kind:
            case "LinearLayout":
                self.draw_row(view, x, y, width, height)
            case "ScrollView" | "FrameLayout":
                for child in view.children:
                    self.draw(child, x, y, width, height)
            case "TextView":
                self.draw_text(view, x, y + dp(view.get("paddingTop")), width)
            case "ImageView" | "TextureView":
                self.draw_picture(view, x, y, width, height)
            case "Button":
                dark = view.id == self.tab
                label = self.resources.text(view.get("text"))
                self.box(x + 3, y + 5, width - 6, height - 10, "#1B5E7B" if dark else "#E3E8EA")
                self.put(label.upper(), x + width / 2, y + height / 2 + 4, 11, "middle", "#fff" if dark else "#222")
            case "EditText" | "Spinner":
                self.put(self.texts.get(view.id, ""), x + 8, y + 29, 15)
                self.svg.append(f'<path d="M{x + 4} {y + 38}h{width - 8}" stroke="#888"/>')
                if view.kind == "Spinner":
                    self.svg.append(f'<path d="M{x + width - 22} {y + 20}h12l-6 7z" fill="#555"/>')

    def draw_row(self, view: View, x: float, y: float, width: float, height: float) -> None:
        """Share a LinearLayout's box among its children."""
        pad = dp(view.get("padding"))
        x, y, width, height = x + pad, y + pad, width - 2 * pad, height - 2 * pad
        weights = [float(child.get("layout_weight", "0")) for child in view.children]
        if view.get("orientation") != "vertical":
            total = sum(weights) or 1
            for child, weight in zip(view.children, weights, strict=True):
                own = width * weight / total
                tall = height if child.get("layout_height") == "match_parent" else min(self.outer(child, own), height)
                self.draw(child, x, y + (0 if tall > 40 else 14), own, tall)
                x += own
            return
        wanted = [
            0 if weight else self.outer(child, width) for child, weight in zip(view.children, weights, strict=True)
        ]
        left = height - sum(wanted)
        for index, (child, weight) in enumerate(zip(view.children, weights, strict=True)):
            last = index == len(view.children) - 1 and child.get("layout_height") == "match_parent"
            own = left * weight / (sum(weights) or 1) if weight else left if last else wanted[index]
            self.draw(child, x, y, width, own)
            y += own

    def draw_text(self, view: View, x: float, y: float, width: float) -> None:
        """Draw a view's folded text."""
        for number, line in enumerate(self.lines(view, width)):
            family = "monospace" if view.get("typeface") else "sans-serif"
            self.put(line, x, y + (number + 1) * self.size(view) * 1.33 - 4, self.size(view), family=family)

    def draw_picture(self, view: View, x: float, y: float, width: float, height: float) -> None:
        """Draw a picture as fitCenter does."""
        picture = self.pictures.get(view.id)
        if picture is None:
            return
        scale = min(width / picture.width, height / picture.height)
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        data = base64.b64encode(buffer.getvalue()).decode()
        wide, tall = picture.width * scale, picture.height * scale
        self.svg.append(
            f'<image x="{x + (width - wide) / 2:.1f}" y="{y + (height - tall) / 2:.1f}" '
            f'width="{wide:.1f}" height="{tall:.1f}" '
            f'style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
        )

    def box(self, x: float, y: float, width: float, height: float, fill: str) -> None:
        """Draw a rounded box."""
        self.svg.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3" fill="{fill}"/>'
        )

    def put(
        self,
        text: str,
        x: float,
        y: float,
        size: float,
        anchor: str = "start",
        fill: str = "#222",
        family: str = "sans-serif",
    ) -> None:
        """Draw one line of text."""
        self.svg.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-family="{family}" text-anchor="{anchor}" '
            f'fill="{fill}" xml:space="preserve">{escape(text)}</text>'
        )


def channels(smashed: np.ndarray, most: int = 64) -> Image.Image:
    """Draw features [c,h,w] as photo/SmashedPicture.kt does."""
    count, high, wide = min(len(smashed), most), *smashed.shape[1:]
    columns = math.ceil(math.sqrt(count))
    picture = np.zeros((math.ceil(count / columns) * high, columns * wide), np.uint8)
    for index in range(count):
        plane = smashed[index]
        span = float(np.ptp(plane)) or 1.0
        row, column = divmod(index, columns)
        picture[row * high : (row + 1) * high, column * wide : (column + 1) * wide] = (plane - plane.min()) / span * 255
    return Image.fromarray(picture)


def content(bundle: Path) -> tuple[dict[str, Image.Image], list[str], int, list[str]]:
    """Return pictures, the answer's lines, how many values cross, and the heads, of a bundle's golden row 0."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    rows = load_file(bundle / manifest["golden"]["inputs"]["path"]) | load_file(
        bundle / manifest["golden"]["expected"]["path"]
    )
    std, mean = (np.array(manifest["preprocess"][key])[:, None, None] for key in ("std", "mean"))
    photo = np.clip((rows["image"][0] * std + mean) * 255, 0, 255).astype(np.uint8)
    picture = Image.fromarray(photo[0] if len(photo) == 1 else photo.transpose(1, 2, 0))
    power = np.exp(rows["logits"][0] - rows["logits"][0].max())
    share = power / power.sum()
    labels = manifest["labels"] or [f"class {index}" for index in range(len(share))]
    answer = [f"{share[index] * 100:5.1f} %  {labels[index]}" for index in np.argsort(-share, kind="stable")[:5]]
    heads = [
        f"{head['target']} {head['precision']} {head['backend']}"
        for head in manifest["heads"]
        if (head["target"], head["backend"])
        in {("executorch", "xnnpack"), ("executorch", "portable"), ("tflite", "cpu")}
    ]
    pictures = {"photo": picture, "preview": picture, "leaves": channels(rows["smashed"][0])}
    return pictures, answer, rows["smashed"][0].size, heads


def main(bundle: Path, out: Path) -> None:
    """Write the picture."""
    resources = Resources()
    pictures, answer, sent, heads = content(bundle)
    timing = f"head ? ms\nnetwork ? ms, tail ? ms, {sent / 1000:.1f} kB sent"
    live = f"{heads[0]}\nrun ?\np50 ? ms\np90 ? ms\np99 ? ms"
    rows = "\n".join(f"{head}\n  #{index}  max |d| ?  same class" for head in heads for index in range(2))
    screens = [
        ("classify", {"timing": timing, "answer": "\n".join(answer)}),
        ("benchmark", {"target": heads[0], "threads": "2", "runs": "100", "figures": live}),
        ("parity", {"rows": rows + "\n…"}),
        (
            "live",
            {"timing": "? frames/s, ? dropped\nhead ? ms, battery ?, thermal status ?", "answer": answer[0].strip()},
        ),
    ]
    parts = []
    for number, (name, texts) in enumerate(screens):
        screen = Screen(resources, texts, pictures, f"tab_{name}")
        screen.draw(resources.layout(name), 0, 0, WIDTH, HEIGHT)
        left = GAP + number * (WIDTH + GAP)
        parts.append(
            f'<g transform="translate({left},{TITLE})">'
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="14" fill="#FAFAFA" stroke="#777"/>'
            + "\n".join(screen.svg)
            + "</g>"
        )
    wide = GAP + len(screens) * (WIDTH + GAP)
    title = (
        "Drawings, not screenshots: from the app's layouts and the demo bundle's first golden row; nothing was timed"
    )
    out.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {HEIGHT + TITLE + GAP}" width="{wide}">'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{GAP}" y="26" font-size="15" font-family="sans-serif" fill="#8a2b12">{escape(title)}</text>'
        + "\n".join(parts)
        + "</svg>\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
