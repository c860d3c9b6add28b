"""The unprotected network and what it says of the victim's photos, kept as files: many cells want the same."""

import json

import data
import networks
import torch
from torch import Tensor, nn

#: how often each of the victim's photos is seen anew, and by how many pixels it moves
VIEWS = 3
SHIFT = 3


def split_network(name: str, cut: str, weights: str | None = None) -> tuple[nn.Sequential, nn.Sequential]:
    """Load a trained network and cut it: (head, tail), in eval mode."""
    record = json.loads((data.ROOT / f"{weights or name}.json").read_text())
    network = networks.BUILD[name](**record["options"])
    network.load_state_dict(torch.load(data.ROOT / f"{weights or name}.pt", weights_only=True))
    parts = list(network.named_children())
    position = [key for key, _ in parts].index(cut) + 1
    head, tail = (
        nn.Sequential(*(part for _, part in parts[:position])),
        nn.Sequential(*(p for _, p in parts[position:])),
    )
    return (head.eval().to(memory_format=torch.channels_last), tail.eval().to(memory_format=torch.channels_last))


def parts_below(network: str, cut: str) -> int:
    """How many of a network's parts lie in front of a cut."""
    built = networks.BUILD[network](**json.loads((data.ROOT / f"{network}.json").read_text())["options"])
    return [key for key, _ in built.named_children()].index(cut) + 1


def merged(logits: Tensor, task: str) -> Tensor:
    """Turn ten logits into the user's: for the swap, vehicle or animal."""
    if task == "class":
        return logits
    animal = torch.zeros(10, dtype=torch.bool)
    animal[list(data.ANIMALS)] = True
    return torch.stack([logits[:, ~animal].logsumexp(1), logits[:, animal].logsumexp(1)], 1)


def truth(labels: Tensor, task: str) -> Tensor:
    return labels if task == "class" else torch.isin(labels, torch.tensor(data.ANIMALS)).long()


def view(photos: Tensor, number: int, seed: int = 7) -> Tensor:
    """View `number` of the victim's photos: each flipped and moved, the same in every run."""
    return data.augment(photos, torch.Generator().manual_seed(1000 * seed + number), SHIFT)


@torch.no_grad()
def teacher_logits(network: str, photos: Tensor) -> Tensor:
    """What the unprotected network says of every view [VIEWS,N,10]; computed once, kept as a file."""
    file = data.ROOT / f"{network}-teacher.pt"
    if not file.exists():
        head, tail = split_network(network, networks.CUTS[network][0])
        rows = []
        for number in range(VIEWS):
            parts = []
            for piece in view(photos, number).split(500):
                with torch.autocast("cpu", torch.bfloat16):
                    parts.append(tail(head(data.normalise(data.unit(piece)))).float())
            rows.append(torch.cat(parts))
        torch.save(torch.stack(rows).half(), file)
    return torch.load(file, weights_only=True).float()


@torch.no_grad()
def head_features(network: str, cut: str, photos: Tensor, label: str) -> Tensor:
    """The unprotected head's output for photos [N,3,32,32], bf16; kept as a file, since many cells want the same."""
    file = data.ROOT / f"{network}-{cut}-{label}.features"
    if not file.exists():
        head, _ = split_network(network, cut)
        parts = []
        for piece in photos.split(250):
            with torch.autocast("cpu", torch.bfloat16):
                parts.append(head(data.normalise(data.unit(piece))).bfloat16().contiguous())
        torch.save(torch.cat(parts), file.with_suffix(".part"))
        file.with_suffix(".part").rename(file)  # whole or not at all: runs are stopped at will
    return torch.load(file, weights_only=True, mmap=True)


@torch.no_grad()
def pooled_features(network: str, photos: Tensor, number: int) -> Tensor:
    """What the unprotected network's last layer is given, for one view of the victim's photos [N,K]; kept as a file."""
    file = data.ROOT / f"{network}-pooled{number}.pt"
    if not file.exists():
        head, tail = split_network(network, networks.CUTS[network][0])
        parts = []
        for piece in photos.split(500):
            with torch.autocast("cpu", torch.bfloat16):
                parts.append(tail[:-1](head(data.normalise(data.unit(piece)))).bfloat16())
        torch.save(torch.cat(parts), file)
    return torch.load(file, weights_only=True)
