"""What the judge recognises where a network names no classes, and how photos without labels are counted."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from toolkit.datasets._data import Part
from toolkit.evaluate.judge import Judge
from toolkit.evaluate.running import _by_answers
from toolkit.records.bundle import Preprocess
from toolkit.tasks.base import Task
from toolkit.tasks.classify import Classify
from toolkit.tasks.regress import Regress

HOW = Preprocess(channels=1, height=4, width=4, mean=[0.0], std=[1.0])
#: photo n is n / 10 all over, so that the mean tells them apart
PHOTOS = (torch.arange(10) / 10)[:, None, None, None].expand(-1, 1, 4, 4).contiguous()


def _judge(task: Task) -> Judge:
    """Answers with a photo's brightness, or with ten scores of it."""

    def network(images: torch.Tensor) -> torch.Tensor:
        light = images.mean((1, 2, 3))[:, None]
        return light if isinstance(task, Regress) else -(light - torch.arange(10) / 10).square() * 1e3

    return Judge(network, HOW, task)


def test_an_answer_is_recognised_as_far_as_it_agrees_with_the_photos_own() -> None:
    judge, labels = _judge(Regress()), torch.zeros(10, dtype=torch.int64)
    real = judge.look(PHOTOS)
    assert judge.recognised(real, real, labels)[1].tolist() == [1.0] * 10
    nobody = judge.look(PHOTOS.mean(0, keepdim=True).expand_as(PHOTOS))
    grey, right = (judge.recognised(seen, real, labels)[1] for seen in (nobody, judge.look(PHOTOS + 0.01)))
    assert grey.mean() < 0.3
    assert right.mean() > 0.9
    assert 0 < judge.chance(real, labels) < 0.7


def test_the_first_photos_are_compared_with_the_first() -> None:
    judge = _judge(Regress())
    real = judge.look(PHOTOS)
    alike, _ = judge.recognised(judge.look(PHOTOS[:3]), real, torch.zeros(3, dtype=torch.int64))
    assert alike.tolist() == [1.0] * 3


def test_a_class_is_recognised_by_its_label() -> None:
    judge, labels = _judge(Classify()), torch.arange(10)
    real = judge.look(PHOTOS)
    success, right = judge.recognised(real, real, labels)
    assert right.tolist() == [1.0] * 10
    assert success.min() > 0.9
    assert judge.recognised(real, real, labels.roll(1))[1].sum() == 0
    assert judge.chance(real, labels) == pytest.approx(0.1)


def test_photos_without_labels_belong_to_the_class_that_the_network_says() -> None:
    class Scores(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return -(images.mean((1, 2, 3))[:, None] - torch.arange(10) / 10).square()

    part = Part(PHOTOS, torch.full((10,), -1))
    for task, wanted in ((Classify(), list(range(10))), (Regress(), [0] * 10)):
        found = _by_answers(part, SimpleNamespace(head=nn.Identity(), tail=Scores(), task=task))  # type: ignore[arg-type]
        assert found.labels.tolist() == wanted
