"""One suite over every attack that is found, and the sanity that no evaluation may lack."""

import inspect
from dataclasses import replace
from functools import cache

import pytest
import torch
from privacy_case import FEATURES, case, slant

from toolkit import attacks, plugins, protections
from toolkit.attacks.base import Attack, Knowledge
from toolkit.evaluate.attacking import (
    attack_victim,
    build_attack,
    from_answer_alone,
    linked_by_answer_alone,
    without_looking,
)
from toolkit.evaluate.metrics.pi import pi
from toolkit.evaluate.noise import Memoised
from toolkit.evaluate.outcome_cache import OutcomeCache
from toolkit.evaluate.victim import Victim
from toolkit.protections.base import Protection

ATTACKS = plugins.names(attacks)
KINDS = {name: plugins.load(attacks, "attack", name, Attack) for name in ATTACKS}
PICTURES = [name for name in ATTACKS if "images" in KINDS[name].yields]
# the message's length tells nothing here: every message has the same
ANSWERS = [name for name in ATTACKS if "attribute" in KINDS[name].yields and name != "message_length"]
LOOKS = 4
pytestmark = pytest.mark.slow


@cache
def _victim(name: str = "none", strength: float | None = None, *, memoised: bool = False) -> Victim:
    one = case()
    kind = plugins.load(protections, "protection", name, Protection)
    protection, head = one.fitted(kind.build(FEATURES), epochs=1)
    if strength is not None:
        protection.set_strength(strength)
    return Victim(head, one.tail, protection, noise=Memoised() if memoised else None)


@cache
def _decoders(victim: Victim, seed: int) -> dict:
    """What attacks on one victim hand on to one another."""
    return {}


@cache
def _run(name: str, victim: Victim, *, goal: str, looks: int = 1, draws: int = 1, seed: int = 0):
    setting = replace(case().setting, seed=seed)
    task = slant() if goal == "attribute" else None
    shared = _decoders(victim, seed) if task is None else None
    return attack_victim(build_attack(name), victim, setting, task=task, looks=looks, draws=draws, shared=shared)


def test_the_attacks_of_the_comparison_are_there():
    assert set(ATTACKS) >= {
        "adversarial_decoder", "attribute", "attribute_large", "averaging", "inverse_network", "linker",
        "message_length", "near_duplicates", "prior_decoder", "residual_decoder", "rmle",
    }  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_run_is_given_messages_only(name):
    assert list(inspect.signature(KINDS[name].run).parameters) == ["self", "messages"]


@pytest.mark.parametrize("name", [name for name in ATTACKS if KINDS[name].builds_on is not None])
def test_what_an_attack_builds_on_rebuilds_photos_and_starts_from_nothing(name):
    assert KINDS[name].builds_on in PICTURES
    assert KINDS[KINDS[name].builds_on].builds_on is None


def test_knowledge_holds_nothing_of_the_test_images():
    assert set(inspect.signature(Knowledge).parameters) == {
        "images", "attribute", "classes", "observe", "single", "head", "seed", "budget", "device", "landmarks",
        "shared", "log", "progress",
    }  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_reconstruction_beats_the_mean_image_on_the_unprotected_early_cut(name):
    one = case()
    found, blind = _run(name, _victim(), goal="images", looks=LOOKS), without_looking(one.setting)
    count = found.images
    assert found.ssim.mean() > blind.ssim[:count].mean() + 0.2
    assert found.mse.mean() < 0.5 * blind.mse[:count].mean()
    assert found.accuracy > blind.accuracy + 0.4
    assert found.identified[:, 0].mean() > 0.5
    assert found.distance.mean() < 0.7


@pytest.mark.parametrize("name", ANSWERS)
def test_attribute_inference_beats_chance_on_the_unprotected_early_cut(name):
    found = _run(name, _victim(), goal="attribute", looks=LOOKS)
    assert found.accuracy > found.chance + 0.2


def test_a_linker_finds_unprotected_photos_and_none_behind_infinite_noise(tmp_path):
    one = case()
    free = _run("linker", _victim(), goal="links")
    kept = OutcomeCache(tmp_path)
    assert torch.equal(kept.get({}, lambda: free).success, kept.get({}, pytest.fail).success)
    assert free.ssim is None
    assert free.chance == 0.01
    blind = linked_by_answer_alone(one.setting, one.labels()[0], one.setting.labels)
    assert free.accuracy > blind.accuracy + 0.3 > 0.35
    lost = _run("linker", _victim("gaussian", 1e4), goal="links")
    assert pi(free.accuracy, lost.accuracy, lost.chance) > 0.95


def test_a_linker_finds_more_than_a_decoder_where_noise_hides_much():
    victim = _victim("gaussian", 6.0)
    drawn = _run("residual_decoder", victim, goal="images").identified[:, 0].mean()
    assert _run("linker", victim, goal="links").accuracy > drawn + 0.05


def test_a_killing_learning_rate_is_not_chosen():
    """A method must not look private because one learning rate killed the attacker's network."""
    setting = case().setting
    hasty = replace(setting, budget=replace(setting.budget, rates=(3e-3, 30.0)))
    found = attack_victim(build_attack("attribute"), _victim(), hasty, task=slant())
    assert found.accuracy > found.chance + 0.3
    assert found.trainings[0].rate == 3e-3


@pytest.mark.parametrize(("name", "goal"), [("residual_decoder", "images"), ("attribute", "attribute")])
def test_without_protection_pi_is_zero_within_noise(name, goal):
    """Another seed of the attacker, not the same figures again."""
    before, after = (_run(name, _victim(), goal=goal, seed=seed) for seed in (0, 7))
    assert pi(before.accuracy, after.accuracy, after.chance) < 0.12


@pytest.mark.parametrize(("name", "goal"), [("residual_decoder", "images"), ("attribute", "attribute")])
def test_infinite_noise_leaves_chance(name, goal):
    victim = _victim("gaussian", 1e4)
    before, after = _run(name, _victim(), goal=goal), _run(name, victim, goal=goal)
    assert pi(before.accuracy, after.accuracy, after.chance) > 0.85
    one = case()
    user = victim.user_side(one.setting.test, one.setting.labels, 0.9, 3, 0)
    assert user.protected < 0.25


def test_the_averaging_attacker_gains_on_fresh_noise():
    found = [_run("averaging", _victim("gaussian", 2.0), goal="images", looks=looks) for looks in (1, 30)]
    assert found[1].ssim.mean() > found[0].ssim.mean() + 0.05


def test_and_nothing_on_memoised_noise():
    victim = _victim("gaussian", 2.0, memoised=True)
    once, often = (_run("averaging", victim, goal="images", looks=looks) for looks in (1, 30))
    assert (once.ssim - often.ssim).abs().max() < 1e-3
    assert once.accuracy == pytest.approx(often.accuracy, abs=0.01)


def test_near_duplicates_gain_on_memoised_noise():
    """They draw noise of their own: what a cache of answers cannot hide."""
    victim = _victim("gaussian", 2.0, memoised=True)
    single = _run("residual_decoder", victim, goal="images")
    assert _run("near_duplicates", victim, goal="images", looks=8).ssim.mean() > single.ssim.mean() + 0.02


@pytest.mark.parametrize(("name", "goal"), [("residual_decoder", "images"), ("attribute", "attribute")])
def test_the_same_seed_gives_the_same_figures(name, goal):
    victim = _victim("gaussian", 1.0)
    task = slant() if goal == "attribute" else None
    first, second = (attack_victim(build_attack(name), victim, case().setting, task=task, draws=2) for _ in range(2))
    assert torch.equal(first.success, second.success)
    assert torch.equal(first.right, second.right)


def test_the_answer_alone_gives_its_class_away():
    one = case()
    known = from_answer_alone(one.setting, one.labels()[0], one.setting.labels)
    assert known.accuracy > 0.8
    assert known.ssim.mean() > without_looking(one.setting).ssim.mean()
