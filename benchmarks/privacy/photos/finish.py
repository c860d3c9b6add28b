"""Decoder and tail, after the phone's part was trained on the short path: they learn from what is sent."""

import time
from typing import Any

import data
import torch
from fresh import Fresh
from stored import VIEWS, head_features, merged, view
from torch import Tensor, nn
from torch.nn import functional
from waist import Waist

#: learning rates of the decoder and of the tail
RATES = (2e-3, 5e-4)


def finish(
    settings: dict[str, Any], modules: tuple[nn.Module, Waist, nn.Module], photos: Tensor, teacher: Tensor,
    generator: torch.Generator, source: Fresh | None = None,
) -> float:  # fmt: skip
    """Train decoder and tail for what the phone's part has learned to send; returns the seconds that it took."""
    begun = time.time()
    mobile, waist, tail = modules
    mobile.eval().requires_grad_(False)
    waist.eval()
    values = []
    for number in range(VIEWS if source is None else 0):
        seen = view(photos, number)
        at = settings["cut"] if settings["train"] == "waist" else settings["trunk"]
        stored = head_features(settings["network"], at, seen, f"victim{number}") if at else None
        parts = []
        for index in torch.arange(len(photos)).split(250):
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                maps = data.normalise(data.unit(seen[index])) if stored is None else stored[index]
                parts.append(waist.encoder(mobile(maps.contiguous(memory_format=torch.channels_last))).float())
        values.append(torch.cat(parts))
    epochs, batch = settings["epochs_tail"], settings["batch"]
    groups = [
        {"params": list(part.parameters()), "lr": rate} for part, rate in zip((waist.decoder, tail), RATES, strict=True)
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-4, betas=(0.9, 0.98))
    batches = len(photos) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, list(RATES), total_steps=epochs * batches, pct_start=0.15, cycle_momentum=False
    )
    waist.decoder.train()
    tail.train()
    tail.requires_grad_(True)
    for epoch in range(epochs):
        total = 0.0
        for index in torch.randperm(len(photos), generator=generator).split(batch)[:batches]:
            if source is None:
                number = int(torch.randint(0, VIEWS, (), generator=generator))
                target, z = merged(teacher[number, index], settings["task"]), values[number][index]
            else:
                maps, target = source.batch(index, generator, mixed=settings["mix"] > 0 and epoch < epochs - 1)
                with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                    z = waist.encoder(mobile(maps)).float()
            target = torch.log_softmax(settings["sharpen"] * target, 1)
            with torch.no_grad():
                codes, _ = waist.send(z, waist.draw(len(index), generator))
            with torch.autocast("cpu", torch.bfloat16):
                logits = merged(tail(waist.decoder(codes)).float(), settings["task"])
            away = functional.kl_div(torch.log_softmax(logits, 1), target, log_target=True, reduction="batchmean")
            optimizer.zero_grad()
            away.backward()
            optimizer.step()
            schedule.step()
            total += away.item()
        print("decoder and tail", epoch + 1, "kl", round(total / batches, 4), flush=True)
    return time.time() - begun
