"""Are head and tail together the network, to the bit, at every cut that is offered? Of sixty networks, batch 1 and 5.

    python benchmarks/networks/exact_cuts.py --out benchmarks/results/exact_cuts.json [NAME ...]

The whole network is asked anew where the halves differ from its first answer: small products of strided rows (a class
token's, cut out of all tokens) come out of the CPU's library in one of two last bits, depending on where memory lies,
and then the whole differs from itself too; `restless` names the cuts where it did. Random weights; small images where
the network takes them, since only equality is looked at. Networks that the file has
already are passed over. Exit status 1 if any cut is not exact.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import torch

from toolkit.bundle import write_atomically
from toolkit.errors import PriproError
from toolkit.partition.cuts import Cut, explain, list_cuts
from toolkit.partition.network import Network, load_network
from toolkit.partition.split import split
from toolkit.records.machine import this_host
from toolkit.records.tools import tool_versions

#: side in pixels -> networks; the sizes are the smallest round ones that each of them takes
NETWORKS = {
    32: ("vgg11", "vgg13_bn", "vgg16", "vgg19_bn"),
    64: (
        "resnet18", "resnet34", "resnet50", "resnet101", "resnext50_32x4d", "wide_resnet50_2", "mobilenet_v2",
        "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_b2", "efficientnet_v2_s",
        "mnasnet0_5", "mnasnet1_3", "regnet_y_400mf", "regnet_x_800mf", "regnet_y_1_6gf", "shufflenet_v2_x0_5",
        "shufflenet_v2_x1_5", "squeezenet1_0", "squeezenet1_1", "densenet121", "googlenet", "convnext_tiny",
        "timm.models.ghostnet:ghostnet_050", "timm.models.byobnet:repvgg_a0", "timm.models.edgenext:edgenext_xx_small",
        "timm.models.convnext:convnextv2_atto", "timm.models.metaformer:poolformer_s12", "timm.models.dla:dla34",
        "timm.models.hardcorenas:hardcorenas_a", "timm.models.res2net:res2net50_26w_4s",
        "timm.models.rexnet:rexnet_100",
        "timm.models.mobilenetv3:lcnet_050",
        "timm.models.efficientnet:tinynet_e", "timm.models.cspnet:cspresnet50", "timm.models.dpn:dpn48b",
        "timm.models.selecsls:selecsls42b", "timm.models.vovnet:ese_vovnet19b_dw", "timm.models.nfnet:nf_regnet_b0",
        "timm.models.resnest:resnest14d",
        "timm.models.hrnet:hrnet_w18_small", "timm.models.xception:legacy_xception",
        "timm.models.byobnet:mobileone_s0", "timm.models.byobnet:gernet_s", "timm.models.regnet:regnetx_002",
        "timm.models.mobilenetv3:mobilenetv3_small_050", "timm.models.efficientnet:mixnet_s",
        "timm.models.convnext:convnext_atto", "timm.models.starnet:starnet_s1", "timm.models.fasternet:fasternet_t0",
        "timm.models.inception_next:inception_next_atto", "timm.models.repghost:repghostnet_050",
        "timm.models.resnet:resnet10t", "timm.models.senet:legacy_seresnet18", "timm.models.mambaout:mambaout_femto",
    ),
    96: ("alexnet", "inception_v3"),
    224: (
        "swin_t", "swin_v2_t", "vit_b_16", "maxvit_t", "timm.models.deit:deit_tiny_patch16_224",
        "timm.models.mlp_mixer:mixer_s16_224", "timm.models.levit:levit_128s",
        "timm.models.efficientformer:efficientformer_l1", "timm.models.fastvit:fastvit_t8",
        "timm.models.pit:pit_ti_224", "timm.models.visformer:visformer_tiny",
        "timm.models.xcit:xcit_nano_12_p16_224", "timm.models.vision_transformer:vit_tiny_patch16_224",
    ),
    256: ("timm.models.mobilevit:mobilevit_xxs", "timm.models.mobilevit:mobilevitv2_050"),
}  # fmt: skip


class Whole:
    """A network's own answers to some images."""

    def __init__(self, network: Network, images: list[torch.Tensor]) -> None:
        self._module, self._images = network.program.module(check_guards=False), images
        self._first = [self._module(image) for image in images]
        self.restless: list[str] = []

    def gives(self, answers: list[torch.Tensor], cut: str) -> bool:
        """Whether it gives these answers, bit for bit: those it gave first, or those that it gives now."""
        if all(map(torch.equal, answers, self._first)):
            return True
        now = [self._module(image) for image in self._images]
        if not all(map(torch.equal, now, self._first)):
            self.restless.append(cut)
        return all(map(torch.equal, answers, now))


def is_exact(network: Network, cut: Cut, images: list[torch.Tensor], whole: Whole) -> bool:
    """Compare the halves with the whole."""
    halves = split(network, cut.name, check=False)
    return whole.gives([halves.tail(halves.head(image)) for image in images], cut.name)


def row(name: str, side: int) -> dict[str, object]:
    """Try every cut of one network."""
    began = time.monotonic()
    torch.manual_seed(0)
    try:
        network = load_network(name, (3, side, side))
    except PriproError as error:
        return {"network": name, "side": side, "refused": str(error)}
    cuts = list_cuts(network)
    images = [torch.randn(batch, 3, side, side) for batch in (1, 5)]
    with torch.no_grad():
        whole = Whole(network, images)
        wrong = [cut.name for cut in cuts if not is_exact(network, cut, images, whole)]
    found: dict[str, object] = {"network": name, "side": side, "cuts": len(cuts), "inexact": wrong}
    found["restless"] = whole.restless
    if not cuts:
        found["why"] = explain(network)
    return found | {"seconds": round(time.monotonic() - began, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description="Exactness of every cut.")
    parser.add_argument("names", nargs="*", help="some of the networks; all without")
    parser.add_argument("--out", type=Path, required=True)
    wanted = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    known = json.loads(wanted.out.read_text())["rows"] if wanted.out.is_file() else []
    for side, names in NETWORKS.items():
        for name in names:
            if (wanted.names and name not in wanted.names) or any(one["network"] == name for one in known):
                continue
            known.append(row(name, side))
            print(known[-1], flush=True)
            stamped = {"rows": known, "device": this_host().model_dump(), "tools": tool_versions("torch", "timm")}
            write_atomically(wanted.out, (json.dumps(stamped, indent=1) + "\n").encode())
    return int(any(one.get("inexact") for one in known))


if __name__ == "__main__":
    sys.exit(main())
