"""Networks as users write them, from partition to the goldens: memory layouts, modules that import torchvision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from forked_cli import Forked
from safetensors.torch import load_file

from toolkit.bundle import Bundle
from toolkit.cli.main import app, guarded

pytestmark = pytest.mark.slow
NETWORKS = """
import torch
from torch import nn

class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Linear(4, 3)
    def middle(self, x):
        return self.first(x)
    def forward(self, x):
        return self.last(self.second(self.middle(x)).relu().mean((2, 3)))

class Turned(Whole):  # features that are a view of [B,H,W,C]
    def middle(self, x):
        return (self.first(x).permute(0, 2, 3, 1) * torch.arange(1.0, 5.0)).permute(0, 3, 1, 2)

class Spread(Whole):  # features that share their memory
    def middle(self, x):
        return self.first(x).mean((2, 3), keepdim=True).expand(-1, -1, 8, 8)

class Sliced(Whole):  # features that lie in a larger tensor
    def middle(self, x):
        return self.first(x).repeat(1, 2, 1, 1)[:, ::2]

def last(): return Whole().to(memory_format=torch.channels_last)
def turned(): return Turned()
def spread(): return Spread()
def sliced(): return Sliced()
"""


@pytest.mark.parametrize("kind", ["last", "turned", "spread", "sliced"])
def test_any_memory_layout_gets_goldens(tmp_path, monkeypatch, kind):
    """Channels-last features ended package in "non contiguous tensor"."""
    (tmp_path / "layouts_of_users.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    for words in (
        ["partition", f"layouts_of_users:{kind}", "--input", "3x8x8", "--cut", "first", "-o", "bundle"],
        ["protect", "bundle", "--method", "none"],
        ["package", "bundle", "--goldens-count", "2"],
    ):
        assert guarded(lambda words=words: app(words)) == 0
    bundle = Bundle.open(Path("bundle"))
    bundle.check_files()
    assert bundle.manifest.golden is not None
    expected = load_file(bundle.path(bundle.manifest.golden.expected))
    assert list(expected["smashed"].shape[1:]) == bundle.manifest.split.smashed.shape[1:]
    assert torch.isfinite(expected["smashed"]).all()


IMPORTS = {
    "first": "import torchvision\nfrom torch import nn",
    "from": "from torchvision.models import resnet18\nfrom torchvision.ops import box_iou\nfrom torch import nn",
    "late": "from torch import nn",
}


@pytest.mark.parametrize("how", IMPORTS)
def test_a_module_that_imports_torchvision_itself(tmp_path, how):
    """Beside a torch of another build it ended in "operator torchvision::nms does not exist"; built-in names worked."""
    late = "    from torchvision.transforms import functional\n    import torchvision.models\n" if how == "late" else ""
    layers = "nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)"
    (tmp_path / "users_module.py").write_text(
        f"{IMPORTS[how]}\n\ndef build():\n{late}    return nn.Sequential({layers})\n"
    )
    done = Forked(["cuts", "users_module:build", "--input", "3x8x8", "--json"], tmp_path).wait(120)
    assert done.returncode == 0, done.stderr
    assert "users_module:build" in done.stdout
