"""Train one network on the victim's photos: one-cycle SGD, label smoothing, flips and shifts, bf16 where it is faster.

`--cutmix 0.5`: in half of the steps each photo gets a rectangle of another, its label in proportion (Yun et al., ICCV
2019); not in the last fifth of the epochs.

    python benchmarks/privacy/photos/train.py resnet --epochs 20

Writes build/photos/NAME.pt (weights as a state dict) and NAME.json; a checkpoint each epoch, and
started again it goes on from there.
"""

import argparse
import copy
import json
import time
from pathlib import Path

import data
import networks
import torch
from torch import Tensor, nn
from torch.nn import functional

#: share of the epochs in which photos are mixed
MIXED = 0.8


@torch.no_grad()
def accuracy(network: nn.Module, part: data.Part, size: int = 500) -> float:
    network.eval()
    right = 0
    for photos, labels in zip(part.photos.split(size), part.labels.split(size), strict=True):
        with torch.autocast("cpu", torch.bfloat16):
            right += int((network(data.normalise(data.unit(photos))).argmax(1) == labels).sum())
    return right / len(part.labels)


def cutmixed(photos: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Photos [B,C,H,W] with a rectangle of others; which others [B], and the share that is left of their own."""
    height, width = photos.shape[2:]
    other = torch.randperm(len(photos), generator=generator)
    share, down, right = torch.rand(3, generator=generator).tolist()
    rows, columns = (round(side * (1 - share) ** 0.5) for side in (height, width))
    top, left = round(down * (height - rows)), round(right * (width - columns))
    mixed = photos.clone()
    mixed[:, :, top : top + rows, left : left + columns] = photos[other, :, top : top + rows, left : left + columns]
    return mixed, other, 1 - rows * columns / (height * width)


def train(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    generator = torch.Generator().manual_seed(arguments.seed)
    victim, val = data.part("victim"), data.part("val")
    network = networks.BUILD[arguments.network](**json.loads(arguments.options))
    if arguments.start:  # a second cycle on weights that a first one left
        network.load_state_dict(torch.load(arguments.start, weights_only=True))
    network = network.to(memory_format=torch.channels_last)
    print("MACs", networks.macs(network, torch.zeros(1, 3, 32, 32)), flush=True)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": arguments.decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=arguments.rate, momentum=0.9, nesterov=True)
    batches = len(victim.labels) // arguments.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, arguments.rate, total_steps=arguments.epochs * batches, pct_start=0.25, cycle_momentum=False,
        anneal_strategy="linear", div_factor=10, final_div_factor=1e3,
    )  # fmt: skip
    mean = copy.deepcopy(network)
    out, first, spent = data.ROOT / f"{arguments.name or arguments.network}.pt", 0, 0.0
    state_file = out.with_suffix(".state")
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        for module, key in ((network, "network"), (mean, "mean"), (optimizer, "sgd"), (schedule, "schedule")):
            module.load_state_dict(state[key])
        generator.set_state(state["generator"])
        first, spent = state["epoch"], state["spent"]
    for epoch in range(first, arguments.epochs):
        start, total = time.time(), 0.0
        network.train()
        order = torch.randperm(len(victim.labels), generator=generator)
        for step, index in enumerate(order.split(arguments.batch)[:batches]):
            photos = data.normalise(data.unit(data.augment(victim.photos[index], generator)))
            labels, own = victim.labels[index], 1.0
            theirs = labels
            mixes = epoch < MIXED * arguments.epochs
            if mixes and torch.rand((), generator=generator).item() < arguments.cutmix:
                photos, other, own = cutmixed(photos, generator)
                theirs = labels[other]
            with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16):
                logits = network(photos)
            loss = functional.cross_entropy(logits.float(), labels, label_smoothing=arguments.smooth)
            if own < 1:
                second = functional.cross_entropy(logits.float(), theirs, label_smoothing=arguments.smooth)
                loss = own * loss + (1 - own) * second
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            if step % 5 == 0:  # running mean of the weights: worth about half a percent at the end
                keep = min(0.98, (epoch * batches + step) / (epoch * batches + step + 50))
                with torch.no_grad():
                    for a, b in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
                        a.copy_(keep * a + (1 - keep) * b) if a.is_floating_point() else a.copy_(b)
        spent += time.time() - start
        row = {"epoch": epoch + 1, "loss": total / batches, "spent": round(spent)}
        if epoch % 4 == 3 or epoch + 1 == arguments.epochs:
            row |= {"val": accuracy(network, val), "val_mean": accuracy(mean, val)}
        print(json.dumps(row), flush=True)
        state = {"network": network.state_dict(), "mean": mean.state_dict(), "sgd": optimizer.state_dict()}
        state |= {
            "schedule": schedule.state_dict(),
            "generator": generator.get_state(),
            "epoch": epoch + 1,
            "spent": spent,
        }
        torch.save(state, state_file)
    best = max((network, mean), key=lambda module: accuracy(module, val))
    torch.save(best.state_dict(), out)
    result = {
        "network": arguments.network, "options": json.loads(arguments.options), "seed": arguments.seed,
        "epochs": arguments.epochs, "cutmix": arguments.cutmix, "start": arguments.start,
        "macs": networks.macs(best, torch.zeros(1, 3, 32, 32)),
        "parameters": sum(p.numel() for p in best.parameters()), "val": accuracy(best, val),
        "test": accuracy(best, data.part("test")), "seconds": round(spent), "torch": torch.__version__,
    }  # fmt: skip
    out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=sorted(networks.BUILD))
    parser.add_argument("--options", default="{}", help="JSON for the network's builder")
    parser.add_argument("--name")
    parser.add_argument("--start", help="weights to go on from, by a learning-rate cycle of their own")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.15)
    parser.add_argument("--decay", type=float, default=5e-4)
    parser.add_argument("--smooth", type=float, default=0.1)
    parser.add_argument("--cutmix", type=float, default=0.0, help="share of the steps in which photos are mixed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    Path(data.ROOT).mkdir(parents=True, exist_ok=True)
    train(parser.parse_args())
