"""What an attacker's decoder draws from the demo's messages, as one picture for README: digits, not photos.

    python benchmarks/privacy/pictures.py [BUNDLE]     # after make demo; writes docs/pictures/digits.png

Rows: the digits; rebuilt from the unprotected features at the cut; rebuilt from the messages behind the waist. Columns
are spread over the test digits by how well the protected ones are rebuilt, the best rebuilt first.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from toolkit.attacks.base import Budget
from toolkit.bundle import Bundle
from toolkit.evaluate.jobs import Job
from toolkit.evaluate.running import prepare
from toolkit.evaluate.settings import EvaluateSettings

OUT = Path("docs/pictures/digits.png")
COLUMNS, SCALE, GAP = 10, 2, 4


def main() -> None:
    bundle = Bundle.open(Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo-waist"))
    torch.set_num_threads(1)
    settings = EvaluateSettings(effort="standard", attacker_images=1500, test_images=300)
    run = prepare(bundle, settings, lambda share, text: None)
    run.setting = replace(run.setting, budget=Budget(steps=400, rounds=1, rates=(3e-3,), width=32))
    found = [run.attack(Job(who, "residual_decoder")) for who in run.victims]  # unprotected, then protected
    ranked = torch.argsort(found[1].ssim, descending=True)
    chosen = ranked[torch.linspace(0, len(ranked) - 1, COLUMNS).round().long()]
    rows = [run.setting.photos[chosen], *(outcome.pictures[chosen] for outcome in found)]
    height, width = rows[0].shape[2:]
    sheet = torch.ones(len(rows) * (SCALE * height + GAP) - GAP, COLUMNS * (SCALE * width + GAP) - GAP)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            big = picture[0].repeat_interleave(SCALE, 0).repeat_interleave(SCALE, 1)
            top, left = r * (SCALE * height + GAP), c * (SCALE * width + GAP)
            sheet[top : top + SCALE * height, left : left + SCALE * width] = big
    OUT.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((sheet.clamp(0, 1) * 255).round().byte().numpy()).save(OUT, optimize=True)
    means = ", ".join(f"{outcome.ssim.mean().item():.3f}" for outcome in found)
    print(f"written: {OUT}; mean SSIM unprotected, protected: {means}")


if __name__ == "__main__":
    main()
