"""One suite over every task that is found: agreeing with oneself is whole, it falls as answers go astray, it trains."""

import pytest
import torch
from torch import Tensor

from toolkit import plugins, tasks
from toolkit.errors import InputError, UnknownNameError
from toolkit.tasks._guess import choose, task_class
from toolkit.tasks._truth import Truth, truth_for
from toolkit.tasks.base import Fact, Facts, Task

TASKS = plugins.names(tasks)
#: task -> shapes of outputs that it takes
SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "classify": ((5,),),
    "multilabel": ((6,),),
    "embed": ((16,),),
    "segment": ((3, 6, 6),),
    "heatmaps": ((4, 8, 8),),
    "regress": ((1,),),
    "any": ((7,), (2, 3)),
}


def made(name: str) -> Task:
    return task_class(name)(None, SHAPES[name])


def outputs(name: str, count: int = 40, seed: int = 0) -> Tensor:
    width = sum(torch.Size(shape).numel() for shape in SHAPES[name])
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def kept(task: Task, logits: Tensor) -> tuple[Tensor, ...]:
    return task.keep(task.answers(logits))


def test_the_suite_knows_every_task() -> None:
    assert set(TASKS) == set(SHAPES)


@pytest.mark.parametrize("name", TASKS)
def test_agreement_is_whole_with_oneself_and_falls_with_noise(name: str) -> None:
    task, truth = made(name), outputs(name)
    noise = outputs(name, seed=1)
    shares = [task.compare(kept(task, truth + scale * noise), kept(task, truth)) for scale in (0.0, 0.1, 1.0, 30.0)]
    assert all(share.shape == (40,) and share.min() >= 0 and share.max() <= 1 for share in shares)
    means = [share.mean().item() for share in shares]
    assert means[0] == 1.0
    assert means[0] >= means[1] > means[2] > means[3] or name == "embed"
    assert means[3] < 0.5


@pytest.mark.parametrize("name", TASKS)
def test_a_constant_answer_is_worth_little(name: str) -> None:
    """The silent fault of one output [B,1]: whatever happens, its top class is the same."""
    task, truth = made(name), outputs(name)
    constant = truth.mean(0, keepdim=True).expand_as(truth)
    assert task.compare(kept(task, constant), kept(task, truth)).mean() < 0.6


@pytest.mark.parametrize("name", TASKS)
def test_its_loss_trains_towards_what_is_wanted(name: str) -> None:
    task, wanted = made(name), outputs(name)
    answer = outputs(name, seed=2).requires_grad_(True)
    before = task.loss(task.answers(answer), task.answers(wanted))
    optimizer = torch.optim.Adam([answer], 0.1)
    for _ in range(200):
        loss = task.loss(task.answers(answer), task.answers(wanted))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.5 * before or name == "multilabel"
    after = task.compare(kept(task, answer.detach()), kept(task, wanted)).mean()
    assert after > 0.9


@pytest.mark.parametrize("name", TASKS)
def test_groups_tell_photos_apart(name: str) -> None:
    task, truth = made(name), outputs(name)
    group, count = task.groups(kept(task, truth))
    assert group.shape == (40,)
    assert 1 < count <= 40
    assert int(group.max()) < count
    assert len(group.unique()) > 1


def test_labels_count_only_where_all_photos_have_one() -> None:
    task, logits = made("classify"), outputs("classify")
    labels = logits.argmax(1)
    labels[:10] = (labels[:10] + 1) % 5
    told = truth_for(task, lambda x: x, logits, labels)
    assert (told.labelled, told.metric, told.unprotected.mean().item()) == (True, "top-1", 0.75)
    labels[0] = -1
    untold = truth_for(task, lambda x: x, logits, labels)
    assert (untold.labelled, untold.metric, untold.unprotected.mean().item()) == (False, "top-1 agreement", 1.0)
    assert isinstance(untold, Truth)


def test_retrieval_and_verification_of_embeddings() -> None:
    task = made("embed")
    generator = torch.Generator().manual_seed(0)
    who = torch.arange(20).repeat_interleave(5)
    points = torch.randn(20, 16, generator=generator)[who] + 0.1 * torch.randn(100, 16, generator=generator)
    mixed = torch.randn(100, 16, generator=generator)
    assert task.right(kept(task, points), who).mean() == 1.0
    assert task.right(kept(task, mixed), who).mean() < 0.2
    # 20 people of 5 photos: 4 % of the pairs are of one person, far above the false-accept rate
    assert task.compare(kept(task, mixed), kept(task, points)).mean() < 0.05


@pytest.mark.parametrize(
    ("wanted", "facts"),
    [
        ("classify", Facts((Fact("logits", (10,), last=("linear",)),), (1, 28, 28), labelled=True)),
        ("classify", Facts((Fact("logits", (1000,), last=("linear",)),), (3, 224, 224))),
        ("multilabel", Facts((Fact("logits", (14,), last=("sigmoid", "linear")),), (3, 224, 224))),
        ("embed", Facts((Fact("logits", (512,), last=("div", "linear", "linalg_vector_norm")),), (3, 160, 160))),
        ("embed", Facts((Fact("logits", (512,), last=("batch_norm",)),), (3, 112, 112))),
        ("segment", Facts((Fact("out", (21, 224, 224), last=("upsample_bilinear2d",)),), (3, 224, 224))),
        ("segment", Facts((Fact("logits", (1, 96, 96), last=("sigmoid",)),), (3, 96, 96))),
        ("regress", Facts((Fact("logits", (1,)),), (3, 64, 64))),
        ("regress", Facts((Fact("logits", ()),), (3, 64, 64))),
        ("regress", Facts((Fact("logits", (1, 64, 64), last=("relu",)),), (3, 64, 64))),
        ("any", Facts((Fact("boxes", (100, 4)), Fact("scores", (100, 21))), (3, 320, 320))),
        ("any", Facts((Fact("logits", (), whole=True, last=("argmax",)),), (3, 64, 64))),
    ],
)
def test_the_task_is_guessed_from_the_answers(wanted: str, facts: Facts) -> None:
    found = choose("auto", facts)
    assert (found.name, found.guessed) == (wanted, True)


def test_a_named_task_must_fit() -> None:
    one = Facts((Fact("logits", (1,)),), (3, 64, 64))
    with pytest.raises(InputError, match="does not fit"):
        choose("classify", one)
    with pytest.raises(UnknownNameError, match="segment"):
        choose("segmant", one)
    assert choose("heatmaps", Facts((Fact("maps", (17, 64, 48)),), (3, 256, 192))).guessed is False


def test_whole_numbers_are_equal_or_not() -> None:
    facts = Facts((Fact("logits", (), whole=True),), (3, 64, 64))
    record = choose("auto", facts)
    task = task_class(record.name)(record.settings, [()])
    answers = torch.tensor([[3.0], [4.0]])
    assert task.compare(kept(task, answers), kept(task, torch.tensor([[3.0], [3.0]]))).tolist() == [1.0, 0.0]
