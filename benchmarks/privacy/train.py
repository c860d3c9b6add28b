"""Train the benchmark networks on the digits: three networks, two user tasks (the digit; its parity).

python benchmarks/privacy/train.py --out build/privacy

About 15 s a network on one core. Victim-train images only; the test accuracy is printed.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional

from toolkit.datasets._data import load_data
from toolkit.families import cifar_alexnet, cifar_resnet18, cifar_vgg11
from toolkit.records.bundle import Preprocess

PREPROCESS = Preprocess(channels=1, height=32, width=32, mean=[0.0], std=[1.0])
NETWORKS = {"cifar_alexnet": cifar_alexnet, "cifar_vgg11": cifar_vgg11, "cifar_resnet18": cifar_resnet18}
EPOCHS = 12


def shifted(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Move a batch by up to two pixels each way: the only augmentation."""
    down, across = (int(torch.randint(-2, 3, (1,), generator=generator)) for _ in range(2))
    return torch.roll(images, (down, across), (2, 3))


def train(name: str, task: str, data: str, out: Path, seed: int = 0) -> float:
    splits = load_data(data, PREPROCESS)
    classes = 2 if task == "parity" else len(splits.classes)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = NETWORKS[name].build(PREPROCESS.channels, classes)
    images, labels = splits.victim_train.images, splits.victim_train.labels
    steps = EPOCHS * -(-len(images) // 64)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(images), generator=generator).split(64):
            target = labels[index] % 2 if task == "parity" else labels[index]
            loss = functional.cross_entropy(network(shifted(images[index], generator)), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        truth = splits.test.labels % 2 if task == "parity" else splits.test.labels
        accuracy = (network(splits.test.images).argmax(1) == truth).float().mean().item()
    out.mkdir(parents=True, exist_ok=True)
    save_file(
        {key: value.contiguous() for key, value in network.state_dict().items()}, out / f"{name}-{task}.safetensors"
    )
    return accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--out", type=Path, default=Path("build/privacy"))
    arguments = parser.parse_args()
    for task in ("label", "parity"):
        for name in NETWORKS:
            print(f"{name} {task}: test accuracy {train(name, task, arguments.data, arguments.out):.4f}", flush=True)


if __name__ == "__main__":
    main()
