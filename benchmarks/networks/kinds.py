"""The networks of the table: one of each kind that people put on phones, cut in the middle."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One network and where it is cut; sides as small as it takes, since only the verbs are looked at."""

    name: str
    source: str
    image: str
    cut: str
    crossing: int = 1
    task: str = "auto"


KINDS = (
    Kind("regression", "benchmarks.networks.own:regression", "3x64x64", "stem.1"),
    Kind("unet_three_skips", "benchmarks.networks.own:unet", "3x64x64", "middle", 4),
    Kind("heatmaps", "benchmarks.networks.own:heatmaps", "3x64x64", "body.1", task="heatmaps"),
    Kind("ssd_like", "benchmarks.networks.own:detector", "3x64x64", "stem.1"),
    Kind("clip_tower", "benchmarks.networks.own:clip_tower", "3x96x96", "blocks.2"),
    Kind("deit_tiny", "timm.models.deit:deit_tiny_patch16_224", "3x224x224", "blocks.5"),
    Kind("mobilevit_xxs", "timm.models.mobilevit:mobilevit_xxs", "3x256x256", "stages.2"),
    Kind("lraspp_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "3x224x224", "backbone.4"),
    Kind("inception_resnet_v1", "benchmarks.networks.own:faces", "3x160x160", "mixed_6a"),
    Kind("swin_t", "swin_t", "3x224x224", "features.3"),
    Kind("vit_b_16", "benchmarks.networks.own:vit_b_16", "3x224x224", "encoder.layers.encoder_layer_3"),
)
