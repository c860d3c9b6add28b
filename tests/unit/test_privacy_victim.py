"""The victim as attackers meet it: with codes on the wire, they see what the codes leave of the features."""

import torch
from torch import nn

from cloud_tail.signature import TensorSpec
from toolkit.evaluate.victim import Victim
from toolkit.protections.none import NoProtection


def test_with_codes_on_the_wire_an_attacker_sees_multiples_of_the_scale() -> None:
    codes = TensorSpec("smashed", "uint8", (1, 2, 3, 3), "NCHW", scale=(0.5, 0.25), zero_point=(0, 128))
    victim = Victim(nn.Identity(), nn.Flatten(), NoProtection((2, 3, 3)), codes)
    images = torch.linspace(-3, 40, 36).reshape(2, 2, 3, 3)
    (seen,) = (one[:, 0] for one in victim.messages(images, torch.arange(2), 1, torch.Generator()).tensors)
    steps = seen / torch.tensor([0.5, 0.25]).reshape(1, 2, 1, 1)
    assert torch.equal(steps, steps.round())
    assert seen[:, 0].min() == 0  # no code below the first
    inside = (images[:, 1] > -32) & (images[:, 1] < 31.75)
    assert (seen[:, 1] - images[:, 1])[inside].abs().max() <= 0.125
    # and without codes, the features themselves
    bare = Victim(nn.Identity(), nn.Flatten(), NoProtection((2, 3, 3)))
    sent = bare.messages(images, torch.arange(2), 3, torch.Generator())
    assert torch.equal(sent.tensors[0], images[:, None].expand(-1, 3, -1, -1, -1))
    assert sent.bytes.tolist() == [[72.0] * 3] * 2
