"""Attack one protected cell: retrained decoders and classifiers, and the judges' figures.

    python benchmarks/privacy/photos/attack.py CELL [--quick]
    python benchmarks/privacy/photos/attack.py none:resnet:layer2

Attackers see the attacker's photos only; a tenth of those decides when to stop. Every figure is on test photos.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import data
import protect
import torch
from attackers import Classifier, PhotoDecoder, ssim
from torch import Tensor, nn
from torch.nn import functional
from waist import Waist

TESTED = 2000
CROWD = 100


class Judge:
    """The user's own unprotected network: its answer, and its features before the last layer."""

    def __init__(self, network: str) -> None:
        head, tail = protect.split_network(network, protect.networks.CUTS[network][0])
        self.body = nn.Sequential(*head, *list(tail)[:-1])
        self.last, self.network = tail[-1], network
        for module in (self.body, self.last):
            module.requires_grad_(False)

    def features(self, inputs: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.body(inputs).float()

    def of_attacker(self, photos: Tensor) -> Tensor:
        """Features of the attacker's photos, kept as a file."""
        file = data.ROOT / f"{self.network}-attacker.judged"
        if not file.exists():
            torch.save(self.of_all(data.normalise(data.unit(photos))), file)
        return torch.load(file, weights_only=True)

    @torch.no_grad()
    def of_all(self, inputs: Tensor) -> Tensor:
        return torch.cat([self.features(piece) for piece in inputs.split(500)])


class Cell:
    """A protected head and its tail; or, named none:NETWORK:CUT, the unprotected ones."""

    def __init__(self, name: str) -> None:
        self.waist: Waist | None = None
        if name.startswith("none:"):
            _, self.network, self.cut = name.split(":")
            self.settings: dict[str, Any] = {
                "network": self.network,
                "cut": self.cut,
                "method": "none",
                "task": "class",
            }
            self.head, self.tail = protect.split_network(self.network, self.cut)
            self.frozen = True
            return
        self.settings = json.loads((data.ROOT / "cells" / f"{name}.train.json").read_text())
        self.network, self.cut = self.settings["network"], self.settings["cut"]
        self.head, self.tail = protect.split_network(self.network, self.cut)
        weights = torch.load(data.ROOT / "cells" / f"{name}.pt", weights_only=True)
        self.frozen = self.settings["train"] == "waist"
        self.head.load_state_dict(weights["head"])
        self.tail.load_state_dict(weights["tail"])
        self.waist = Waist(self.settings["method"], tuple(self.settings["features"]), self.settings).eval()
        known = weights["waist"]
        if "noise.blend" in known:  # cells trained before the block kept this; it only matters when strength changes
            known.setdefault("noise.most", torch.tensor(1.0))
        self.waist.load_state_dict(known)
        self.waist.eval()

    @torch.no_grad()
    def messages(
        self, photos: Tensor, generator: torch.Generator, draws: int = 1, label: str = ""
    ) -> tuple[Tensor, Tensor]:
        """What crosses for uint8 photos [N,3,32,32]: messages [N,draws,c,h,w], answers [N,K] to the first draw."""
        sent, answers = [], []
        stored = protect.head_features(self.network, self.cut, photos, label) if self.frozen and label else None
        for number, piece in enumerate(photos.split(250)):
            with torch.autocast("cpu", torch.bfloat16):
                if stored is None:
                    maps = self.head(data.normalise(data.unit(piece)))
                else:
                    maps = stored[250 * number :][: len(piece)].contiguous(memory_format=torch.channels_last)
                if self.waist is None:
                    sent.append(
                        maps.half()[:, None].expand(-1, draws, -1, -1, -1) if draws > 1 else maps.half()[:, None]
                    )
                    answers.append(self.tail(maps).float())
                    continue
                z = self.waist.encoder(maps).float()
            codes = [self.waist.send(z, self.waist.draw(len(z), generator))[0] for _ in range(draws)]
            with torch.autocast("cpu", torch.bfloat16):
                answers.append(self.tail(self.waist.decoder(codes[0])).float())
            sent.append(torch.stack(codes, 1).round().half())
        return torch.cat(sent), protect.merged(torch.cat(answers), self.settings["task"])


def entropy_bits(messages: Tensor, level: int) -> tuple[float, Tensor]:
    """Mean bits a message under per-channel frequencies learned on the first half, and the bits of each of the rest."""
    whole = (messages.long() + level).flatten(2)  # [N,c,h*w]
    half = len(whole) // 2
    count = functional.one_hot(whole[:half], 2 * level + 1).sum((0, 2)).float() + 0.5
    cost = -torch.log2(count / count.sum(1, keepdim=True))
    bits = cost[None].expand(len(whole) - half, -1, -1).gather(2, whole[half:]).sum((1, 2))
    return bits.mean().item(), bits


class Attacker:
    """Messages of the attacker's photos, as they are and mirrored, with two draws of the noise each."""

    def __init__(self, cell: Cell, generator: torch.Generator) -> None:
        part = data.part("attacker")
        noisy = cell.waist is not None and cell.waist.noise.eps_shape() is not None
        draws = 2 if noisy else 1
        sides = (("attacker", part.photos), ("attacker-mirrored", part.photos.flip(3)))
        both = [cell.messages(photos, generator, draws, label)[0] for label, photos in sides]
        self.messages = torch.cat(both, 1)  # [N,2*draws,...], the second half of a photo's messages mirrored
        self.draws, self.photos, self.labels = draws, part.photos, part.labels
        self.held = len(part.photos) // 10
        self.shape = tuple(self.messages.shape[2:])

    def batch(self, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        which = torch.randint(0, self.messages.shape[1], (len(index),), generator=generator)
        photos = self.photos[index]
        photos = torch.where((which >= self.draws)[:, None, None, None], photos.flip(3), photos)
        return self.messages[index, which].float(), photos

    def train(
        self, model: nn.Module, loss_of: Callable[[Tensor, Tensor, Tensor], Tensor], epochs: int, rate: float,
        seed: int, limit: float = math.inf, batch: int = 128, patience: int = 2,
    ) -> list[float]:  # fmt: skip
        """Train until the held-out loss has not fallen for `patience` epochs, `epochs` or `limit` seconds are over."""
        generator = torch.Generator().manual_seed(seed)
        rows = torch.arange(self.held, len(self.photos))
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-2)
        steps = epochs * (len(rows) // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
        curve: list[float] = []
        best, begun = {k: v.clone() for k, v in model.state_dict().items()}, time.time()
        for _ in range(epochs):
            model.train()
            for index in rows[torch.randperm(len(rows), generator=generator)].split(batch)[: len(rows) // batch]:
                messages, photos = self.batch(index, generator)
                loss = loss_of(messages, photos, index)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
            model.eval()
            with torch.no_grad():
                parts = torch.arange(self.held).split(500)
                held = [loss_of(self.messages[p, 0].float(), self.photos[p], p).item() for p in parts]
            curve.append(sum(held) / len(held))
            if curve[-1] == min(curve):
                best = {k: v.clone() for k, v in model.state_dict().items()}
            if len(curve) - 1 - curve.index(min(curve)) >= patience or time.time() - begun > limit:
                break
        model.load_state_dict(best)
        model.eval()
        return [round(value, 4) for value in curve]


def pixels(decoded: Tensor) -> Tensor:
    """Networks' units -> [0, 1]."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (data.MEAN, data.STD))
    return (decoded * std + mean).clamp(0, 1)


def found(guess: Tensor, features: Tensor, seed: int = 5) -> float:
    """Share whose own photo is the nearest (cosine) among it and CROWD - 1 others."""
    generator = torch.Generator().manual_seed(seed)
    near = functional.normalize(guess, dim=1) @ functional.normalize(features, dim=1).T
    count = len(guess)
    others = torch.stack([torch.randperm(count - 1, generator=generator)[: CROWD - 1] for _ in range(count)])
    others = others + (others >= torch.arange(count)[:, None]).long()
    return (near.diagonal() > near.gather(1, others).max(1).values).float().mean().item()


def judged(rebuilt: Tensor, part: data.Part, judge: Judge, features: Tensor) -> dict[str, float]:
    """SSIM, PSNR, recognised share and re-identification of photos in [0, 1]."""
    real = data.unit(part.photos)
    alike = torch.cat([ssim(a, b) for a, b in zip(rebuilt.split(500), real.split(500), strict=True)])
    seen = judge.of_all(data.normalise(rebuilt))
    error = (rebuilt - real).square().mean((1, 2, 3))
    with torch.no_grad():
        recognised = (judge.last(seen).argmax(1) == part.labels).float().mean().item()
    return {
        "ssim": alike.mean().item(), "ssim_worst_5": alike.sort().values[-len(alike) // 20 :].mean().item(),
        "psnr": (-10 * torch.log10(error)).mean().item(), "mse": error.mean().item(),
        "recognised": recognised, "reid_100": found(seen, features),
    }  # fmt: skip


def photo_loss(decoded: Tensor, photos: Tensor) -> Tensor:
    shown, real = pixels(decoded), data.unit(photos)
    # the unclamped difference keeps a gradient where the picture is out of range
    return functional.l1_loss(decoded, data.normalise(real)) * 0.25 + 0.5 * (1 - ssim(shown, real).mean())


def decoders(attacker: Attacker, judge: Judge, seed: int, quick: bool) -> dict[str, tuple[nn.Module, list[float]]]:
    torch.manual_seed(seed)
    model = PhotoDecoder(attacker.shape).to(memory_format=torch.channels_last)

    def plain(messages: Tensor, photos: Tensor, _: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            decoded = model(messages.contiguous(memory_format=torch.channels_last))
        return photo_loss(decoded.float(), photos)

    curve = attacker.train(model, plain, 3 if quick else 6, 3e-3, seed, limit=300 if quick else 900)
    out: dict[str, tuple[nn.Module, list[float]]] = {"decoder": (model, curve)}
    if quick:
        return out
    sharp = PhotoDecoder(attacker.shape).to(memory_format=torch.channels_last)
    sharp.load_state_dict(model.state_dict())
    wanted = functional.normalize(judge.of_attacker(attacker.photos), dim=1)

    def seeming(messages: Tensor, photos: Tensor, index: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            decoded = sharp(messages.contiguous(memory_format=torch.channels_last))
        shown = functional.normalize(judge.features(data.normalise(pixels(decoded.float()))), dim=1)
        # a mirrored photo has nearly the same features; the photo's own serve for both
        return 0.3 * photo_loss(decoded.float(), photos) + (1 - (shown * wanted[index]).sum(1)).mean()

    out["feature_decoder"] = (sharp, attacker.train(sharp, seeming, 1, 1e-3, seed, limit=900))
    return out


def link(attacker: Attacker, judge: Judge, test: Tensor, features: Tensor, seed: int, epochs: int) -> dict[str, Any]:
    """Message -> the judge's features, trained by contrast: re-identification without drawing a photo."""
    torch.manual_seed(seed)
    wanted = functional.normalize(judge.of_attacker(attacker.photos), dim=1)
    centre = wanted.mean(0)
    model = nn.Sequential(Classifier(attacker.shape, wanted.shape[1]))
    heat = nn.Parameter(torch.tensor(2.5))
    model.register_parameter("heat", heat)
    turn = nn.Linear(wanted.shape[1], wanted.shape[1], bias=False)
    nn.init.eye_(turn.weight)
    model.add_module("turn", turn)

    def loss_of(messages: Tensor, _: Tensor, index: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            guess = model[0](messages).float()
        near = functional.normalize(guess, dim=1) @ functional.normalize(turn(wanted[index] - centre), dim=1).T
        return functional.cross_entropy(heat.exp() * near, torch.arange(len(index)))

    curve = attacker.train(model, loss_of, epochs, 2e-3, seed, limit=300, batch=256)
    with torch.no_grad():
        guess = torch.cat([model[0](piece.float()) for piece in test.split(500)])
        return {"reid_100": found(guess, turn(functional.normalize(features, dim=1) - centre)), "curve": curve}


def attribute(attacker: Attacker, test: Tensor, labels: Tensor, seed: int, epochs: int) -> dict[str, Any]:
    """Message -> class, two sizes of classifier; the better one on held-out photos counts."""
    best: dict[str, Any] = {}
    for width in (64, 160):
        torch.manual_seed(seed)
        model = Classifier(attacker.shape, 10, width)

        def loss_of(messages: Tensor, _: Tensor, index: Tensor, model: nn.Module = model) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return functional.cross_entropy(model(messages).float(), attacker.labels[index])

        curve = attacker.train(model, loss_of, epochs, 2e-3, seed, limit=300)
        with torch.no_grad():
            scores = torch.cat([model(piece.float()) for piece in test.split(500)])
        row = {"accuracy": (scores.argmax(1) == labels).float().mean().item(), "curve": curve, "width": width}
        if not best or min(curve) < min(best["curve"]):
            best = row
    return best


def floors(part: data.Part, answers: Tensor, judge: Judge, features: Tensor, task: str) -> dict[str, Any]:
    """What the user's answer alone gives away: its class's mean photo, any photo of it, and its scores."""
    own = data.part("attacker")
    classes = answers.argmax(1)
    groups = protect.truth(own.labels, task)
    means = torch.stack([data.unit(own.photos[groups == k]).mean(0) for k in range(answers.shape[1])])
    generator = torch.Generator().manual_seed(3)
    members = [(groups == k).nonzero()[:, 0] for k in range(answers.shape[1])]
    picked = [members[k][torch.randint(0, len(members[k]), (1,), generator=generator)[0]] for k in classes.tolist()]
    drawn = own.photos[torch.stack(picked)]
    with torch.no_grad():
        scores = protect.merged(judge.last(features), task).log_softmax(1)
    return {
        "mean_photo": judged(means[classes], part, judge, features),
        "any_photo": judged(data.unit(drawn), part, judge, features),
        "answer_reid_100": found(answers.log_softmax(1) - scores.mean(0), scores - scores.mean(0)),
    }


def attack(name: str, quick: bool = False, seed: int = 0, task: str = "reconstruction") -> dict[str, Any]:
    torch.set_num_threads(1)
    begun = time.time()
    generator = torch.Generator().manual_seed(100 + seed)
    cell, part = Cell(name), data.part("test")
    judge = Judge(cell.network)
    sent, answers = cell.messages(part.photos, generator, label="test")
    truth = protect.truth(part.labels, cell.settings["task"])
    plain_head, plain_tail = protect.split_network(cell.network, cell.cut)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        pieces = [data.normalise(data.unit(piece)) for piece in part.photos.split(500)]
        plain = protect.merged(
            torch.cat([plain_tail(plain_head(piece)).float() for piece in pieces]), cell.settings["task"]
        )
    before, after = ((scores.argmax(1) == truth).float().mean().item() for scores in (plain, answers))
    result: dict[str, Any] = {
        "cell": name, "settings": cell.settings, "accuracy": after, "accuracy_unprotected": before,
        "PA": after / before,
        "agreement": (plain.argmax(1) == answers.argmax(1)).float().mean().item(), "attack_seed": seed, "quick": quick,
    }  # fmt: skip
    if cell.waist is not None:
        mean, bits = entropy_bits(sent[:, 0], cell.waist.codes.level)
        result["bytes"] = mean / 8
        result["bytes_p99"] = bits.quantile(0.99).item() / 8
    attacker = Attacker(cell, generator)
    test = data.Part(part.photos[:TESTED], part.labels[:TESTED])
    sent, answers = sent[:TESTED, 0], answers[:TESTED]
    features = judge.of_all(data.normalise(data.unit(test.photos)))
    result["judge_accuracy"] = (judge.last(features).argmax(1) == test.labels).float().mean().item()
    result["floors"] = floors(test, answers, judge, features, cell.settings["task"])
    if task == "reconstruction":
        for key, (model, curve) in decoders(attacker, judge, seed, quick).items():
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                rebuilt = torch.cat([pixels(model(piece.float()).float()) for piece in sent.split(500)])
            result[key] = {**judged(rebuilt, test, judge, features), "curve": curve}
        result["link"] = link(attacker, judge, sent, features, seed, 4 if quick else 6)
    else:
        result["attribute"] = attribute(attacker, sent, test.labels, seed, 12)
    result["attack_seconds"] = round(time.time() - begun)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cell")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--attribute", action="store_true")
    arguments = parser.parse_args()
    result = attack(arguments.cell, arguments.quick, task="attribute" if arguments.attribute else "reconstruction")
    kind = "attribute" if arguments.attribute else "quick" if arguments.quick else "attack"
    out = Path(data.ROOT / "cells" / f"{arguments.cell.replace(':', '-')}.{kind}.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k != "settings"}))


if __name__ == "__main__":
    main()
