"""Train one cell: a waist behind one cut with one method, by distillation from the unprotected network.

    python benchmarks/privacy/photos/protect.py '{"cut": "layer2", "method": "pripro", "train": "all"}'

Loss = KL(unprotected || protected) + weight * (rate + leak), both in bits per symbol, where `weight` follows the
user's accuracy on validation photos. Started without noise; noise and weight come in over the first third.
"""

import copy
import json
import sys
import time
from typing import Any

import data
import networks
import torch
from attackers import PhotoDecoder
from finish import finish
from fresh import Fresh, mixture
from stored import (
    head_features,
    merged,
    parts_below,
    pooled_features,
    split_network,
    teacher_logits,
    truth,
    view,
)
from torch import Tensor, nn
from torch.nn import functional
from waist import Waist, inside_bits, short_path, start_from

from toolkit.protections.pripro import PriPro

DEFAULTS: dict[str, Any] = {
    "network": "resnet", "cut": "layer2", "method": "pripro", "train": "all", "epochs": 3, "batch": 128, "seed": 0,
    "channels": 16, "side": 4, "level": 3, "rate": 1e-3, "rate_tuned": 2e-4, "rate_noise": 3e-3,
    "max_drop": 0.006, "weight": 0.02,
    "rate_term": 1.0, "leak_term": 1.0, "adversary": 0.0, "feature_term": 0.0, "task": "class", "growth": 1.04,
    "temperature": 1.0, "early_drop": 0.015, "strength": 0.5, "spread": 1.2,
    "beyond": 0.0, "deep": 0, "pool": "max", "trunk": "", "mix": 0.0, "pooled_term": 0.0, "views": 3,
    "short": False, "epochs_tail": 3, "least_weight": 0.0,
    "sharpen": 1.0,
}  # fmt: skip
#: share of the training after which the weight follows the accuracy; noise comes in over NOISE_IN
CONTROL = 0.3
NOISE_IN = (0.05, 0.3)
#: share of the training in which photos are mixed
MIX_UNTIL = 0.75


class Watch:
    """The weight of rate and leak, moved so that the user's accuracy on validation photos stays where it has to."""

    def __init__(self, settings: dict[str, Any], head: nn.Module, tail: nn.Module) -> None:
        part = data.part("val")
        self.inputs = data.normalise(data.unit(part.photos))
        self.labels = truth(part.labels, settings["task"])
        self.task = settings["task"]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            pieces = self.inputs.split(500)
            logits = torch.cat([merged(tail(head(piece)).float(), self.task) for piece in pieces])
        self.unprotected = (logits.argmax(1) == self.labels).float()
        self.weight, self.growth, self.max_drop = settings["weight"], settings["growth"], settings["max_drop"]
        self.early, self.least = settings["early_drop"], settings["least_weight"]
        self.ratio, self.place = 1.0, 0
        known = settings["cut"] if settings["train"] == "waist" else settings["trunk"]
        self.maps = head_features(settings["network"], known, part.photos, "val") if known else None
        self.below = parts_below(settings["network"], known) if known else 0
        self.short: nn.Module | None = None

    @torch.no_grad()
    def look(self, modules: tuple[nn.Sequential, Waist, nn.Module], generator: torch.Generator, done: float) -> None:
        """Take in the next 250 photos; while steps are long, more may be lost than at the end."""
        head, waist, tail = modules
        index = torch.arange(self.place, self.place + 250) % len(self.labels)
        self.place += 250
        right = self.right(head, waist, tail, index, generator)
        now = 1 - (self.unprotected[index].mean() - right.mean()).item() / self.unprotected.mean().item()
        self.ratio = 0.85 * self.ratio + 0.15 * now
        if done > CONTROL:
            allowed = self.max_drop + self.early * (1 - done) / (1 - CONTROL)
            gap = (self.ratio - (1 - allowed)) / allowed
            self.weight = max(self.weight * self.growth ** max(-2.0, min(1.0, gap)), self.least)

    @torch.no_grad()
    def right(
        self, head: nn.Sequential, waist: Waist, tail: nn.Module, index: Tensor, generator: torch.Generator
    ) -> Tensor:
        modules = (head, waist, tail if self.short is None else self.short)
        states = [module.training for module in modules]
        for module in modules:
            module.eval()
        with torch.autocast("cpu", torch.bfloat16):
            # `below` parts of the head never change: what they give is stored
            maps = head[self.below :](self.inputs[index] if self.maps is None else self.maps[index])
            sent = waist(maps, waist.draw(len(index), generator), rebuild=self.short is None)
            logits = merged((self.short or tail)(sent.rebuilt).float(), self.task)
        for module, state in zip(modules, states, strict=True):
            module.train(state)
        return (logits.argmax(1) == self.labels[index]).float()

    def whole(self, head: nn.Sequential, waist: Waist, tail: nn.Module, generator: torch.Generator) -> float:
        parts = torch.arange(len(self.labels)).split(500)
        right = torch.cat([self.right(head, waist, tail, index, generator) for index in parts])
        return (right.mean() / self.unprotected.mean()).item()


def begin_at(waist: Waist, head: nn.Module, tail: nn.Module, photos: Tensor, settings: dict[str, Any]) -> None:
    """Start the waist at the best linear one for this tail, measured on these photos."""
    generator = torch.Generator().manual_seed(settings["seed"])
    with torch.no_grad():
        features = torch.cat([head(data.normalise(data.unit(piece))) for piece in photos.split(250)])
    slopes = []
    for piece in features.split(250):
        at = piece.clone().requires_grad_(True)
        logits = merged(tail(at), settings["task"])
        logits = logits - logits.mean(1, keepdim=True)
        for _ in range(4):
            mixture = torch.randn(logits.shape[1], generator=generator)
            slopes.append(torch.autograd.grad(logits @ mixture, at, torch.ones(len(at)), retain_graph=True)[0])
    start_from(waist.encoder, waist.decoder, features, torch.cat(slopes), settings["spread"])
    if isinstance(waist.noise, PriPro):
        waist.noise.start_from(waist.encoder(features).detach(), generator)


def set_noise(waist: Waist, share: float) -> None:
    waist.noise.set_strength(max(share, 1e-3))


def protect(wanted: dict[str, Any], name: str) -> dict[str, Any]:
    """Train the cell and write build/photos/cells/NAME.pt; returns what was set and what came of it."""
    settings = {**DEFAULTS, **wanted}
    torch.set_num_threads(1)
    torch.manual_seed(settings["seed"])
    generator = torch.Generator().manual_seed(settings["seed"])
    out = data.ROOT / "cells" / f"{name}.pt"
    out.parent.mkdir(parents=True, exist_ok=True)
    victim = data.part("victim")
    head, tail = split_network(settings["network"], settings["cut"])
    teacher = teacher_logits(settings["network"], victim.photos)
    with torch.no_grad():
        features = head(torch.zeros(1, 3, 32, 32)).shape[1:]
    watch = Watch(settings, head, tail)
    waist = Waist(settings["method"], tuple(features), settings).to(memory_format=torch.channels_last)
    if settings.get("start"):
        begin = torch.load(data.ROOT / "cells" / f"{settings['start']}.pt", weights_only=True)
        waist.load_state_dict(begin["waist"])
        head.load_state_dict(begin["head"])
        tail.load_state_dict(begin["tail"])
    else:
        begin_at(waist, head, tail, victim.photos[:1000], settings)
        set_noise(waist, 0.0)
        print("linear waist, no noise: accuracy ratio", round(watch.whole(head, waist, tail, generator), 4), flush=True)
    tuned = settings["train"] == "all"
    for module in (head, tail):
        module.requires_grad_(tuned)
    stored_at = settings["trunk"] if tuned else settings["cut"]
    trunk = head[: watch.below] if tuned else head
    trunk.requires_grad_(False)
    mobile = head[watch.below :]
    plain_head, plain_tail = split_network(settings["network"], settings["cut"])
    untouched = nn.Sequential(*plain_head, *plain_tail)[watch.below :]
    untouched.requires_grad_(False)
    source = None
    if not settings["views"]:
        source = Fresh(trunk, untouched, victim.photos, settings["task"], settings["mix"])
    noisy = [*waist.noise.parameters(), waist.codes.frequency]
    own = {id(p) for p in noisy}
    narrow = [p for p in waist.parameters() if id(p) not in own]
    if settings["short"]:
        watch.short = short_path(waist.shape, teacher.shape[2])
        narrow += watch.short.parameters()
        if settings.get("start"):
            watch.short.load_state_dict(begin["short"])
    groups = [{"params": narrow, "lr": settings["rate"]}]
    groups.append({"params": noisy, "lr": settings["rate_noise"]})
    if tuned:
        groups.append({"params": [*mobile.parameters(), *tail.parameters()], "lr": settings["rate_tuned"]})
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-4, betas=(0.9, 0.98))
    batches = len(victim.labels) // settings["batch"]
    total = settings["epochs"] * batches
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in groups], total_steps=total, pct_start=0.15, cycle_momentum=False
    )
    rebuild, opponent = None, None
    if settings["adversary"]:
        rebuild = PhotoDecoder(waist.shape, width=48, blocks=1).to(memory_format=torch.channels_last)
        opponent = torch.optim.AdamW(rebuild.parameters(), lr=2e-3)
    variance = data.normalise(data.unit(victim.photos[:2000])).var()
    first, spent, state_file = 0, 0.0, out.with_suffix(".state")
    kept: dict[str, Any] = {"waist": waist, "head": head, "tail": tail, "optimizer": optimizer, "schedule": schedule}
    if watch.short is not None:
        kept["short"] = watch.short
    if rebuild is not None and opponent is not None:
        kept |= {"rebuild": rebuild, "opponent": opponent}
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        for key, module in kept.items():
            module.load_state_dict(state[key])
        generator.set_state(state["generator"])
        first, spent, watch.weight, watch.ratio = state["epoch"], state["spent"], state["weight"], state["ratio"]
    for epoch in range(first, settings["epochs"]):
        begun, sums = time.time(), torch.zeros(5)
        waist.train()
        if watch.short is not None:
            watch.short.train()
        head.train(tuned)
        trunk.eval()
        tail.train(tuned)
        order = torch.randperm(len(victim.labels), generator=generator)
        number = (epoch + settings["seed"]) % (settings["views"] or 1)
        photos, stored = view(victim.photos, number), None
        if stored_at and source is None:
            stored = head_features(settings["network"], stored_at, photos, f"victim{number}")
        pooled = pooled_features(settings["network"], photos, number) if settings["pooled_term"] else None
        for step, index in enumerate(order.split(settings["batch"])[:batches]):
            done = (epoch * batches + step) / total
            share = min(max((done - NOISE_IN[0]) / (NOISE_IN[1] - NOISE_IN[0]), 0.0), 1.0)
            set_noise(waist, share * settings["strength"])
            pixels = None
            if source is None and (stored is None or rebuild is not None):
                pixels = data.normalise(data.unit(photos[index]))
            target = merged(teacher[number, index], settings["task"])
            with torch.autocast("cpu", torch.bfloat16):
                maps = pixels if stored is None else stored[index].contiguous(memory_format=torch.channels_last)
                mixed = done < MIX_UNTIL and settings["mix"] > 0
                if source is not None:
                    maps, target = source.batch(index, generator, mixed=mixed)
                elif mixed:  # the unprotected network's answers to mixtures of two photos, or of their first features
                    maps = mixture(maps, settings["mix"], generator)
                    with torch.no_grad():
                        target = merged(untouched(maps).float(), settings["task"])
                maps = mobile(maps)
                sent = waist(maps, waist.draw(len(index), generator), rebuild=watch.short is None)
                path = tail if watch.short is None else watch.short
                last = path[:-1](sent.rebuilt)
                logits = merged(path[-1](last).float(), settings["task"])
            heat = settings["temperature"]
            likely = functional.log_softmax(settings["sharpen"] * target / heat, 1)
            away = (
                functional.kl_div(
                    functional.log_softmax(logits / heat, 1), likely, log_target=True, reduction="batchmean"
                )
                * heat**2
            )
            rate = sent.bits.mean()
            leak = inside_bits(sent.mean, sent.noise, target.argmax(1), target.shape[1])
            hidden = (settings["rate_term"] * rate + settings["leak_term"] * leak) / sent.codes[0].numel()
            if settings["method"] == "cloak":  # its own term: log of the mean scale
                hidden = hidden - torch.log(waist.noise.log_scale.exp().mean())
            if settings["method"] == "shredder":  # its own term: log of the noise's power
                hidden = hidden - 0.5 * torch.log(waist.noise.tensors.square().mean((1, 2, 3))).mean()
            loss = away + share * watch.weight * hidden + settings["beyond"] * sent.beyond
            if pooled is not None and not mixed:
                wish = pooled[index].float()
                spread = wish.var(0).mean()
                loss = loss + settings["pooled_term"] * (1 - done) * functional.mse_loss(last.float(), wish) / spread
            if settings["feature_term"] and share < 1:
                loss = loss + settings["feature_term"] * (1 - share) * functional.mse_loss(
                    sent.rebuilt.float(), maps.detach().float()
                )
            if rebuild is not None and opponent is not None:
                with torch.autocast("cpu", torch.bfloat16):
                    error = functional.mse_loss(rebuild(sent.codes.detach()).float(), pixels) / variance
                opponent.zero_grad()
                error.backward()
                opponent.step()
                rebuild.requires_grad_(False)
                with torch.autocast("cpu", torch.bfloat16):
                    wrong = functional.mse_loss(rebuild(sent.codes).float(), pixels) / variance
                loss = loss - share * watch.weight * settings["adversary"] * wrong.clamp(max=1.0)
                rebuild.requires_grad_(True)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 5.0)
            optimizer.step()
            schedule.step()
            agree = (logits.argmax(1) == target.argmax(1)).float().mean()
            sums += torch.tensor(
                [away.item(), rate.item(), leak.item(), agree.item(), error.item() if rebuild else 0.0]
            )
            if step % 50 == 49:
                print(epoch, step, [round(v, 3) for v in (sums / (step + 1)).tolist()], watch.ratio, flush=True)
            if step % 10 == 9:
                watch.look((head, waist, tail), generator, done)
        spent += time.time() - begun
        row = {
            k: round(v, 4)
            for k, v in zip(("kl", "bits", "leak", "agree", "adversary"), (sums / batches).tolist(), strict=True)
        }
        row |= {
            "epoch": epoch + 1,
            "weight": round(watch.weight, 4),
            "ratio": round(watch.ratio, 4),
            "spent": round(spent),
        }
        print(json.dumps(row), flush=True)
        state = {key: module.state_dict() for key, module in kept.items()}
        state |= {"generator": generator.get_state(), "epoch": epoch + 1, "spent": spent}
        torch.save(state | {"weight": watch.weight, "ratio": watch.ratio}, state_file)
    set_noise(waist, settings["strength"])
    if watch.short is not None:
        short_ratio, watch.short = watch.whole(head, waist, tail, generator), None
        print("short path: accuracy ratio", round(short_ratio, 4), flush=True)
        spent += finish(settings, (mobile, waist, tail), victim.photos, teacher, generator, source)
    result = {**settings, "features": list(features), "seconds": round(spent), "last": row, "weight_end": watch.weight}
    result["val_ratio"] = watch.whole(head, waist, tail, generator)
    z = torch.zeros(1, *features)
    result["macs"] = {
        "head": networks.macs(head, torch.zeros(1, 3, 32, 32)), "encoder": networks.macs(waist.encoder, z),
        "decoder": networks.macs(waist.decoder, torch.zeros(1, *waist.shape)), "tail": networks.macs(tail, z),
    }  # fmt: skip
    weights = {key: copy.deepcopy(kept[key].state_dict()) for key in ("waist", "head", "tail", "short") if key in kept}
    torch.save(weights, out)
    out.with_suffix(".train.json").write_text(json.dumps(result, indent=1) + "\n")
    state_file.unlink()
    return result


if __name__ == "__main__":
    chosen = json.loads(sys.argv[1])
    print(json.dumps(protect(chosen, chosen.pop("name", "trial"))))
