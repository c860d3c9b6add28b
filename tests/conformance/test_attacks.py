"""One suite over every attack that is found, and the sanity that no evaluation may lack."""

import inspect
from dataclasses import replace

import pytest
import torch
from privacy_case import FEATURES, PREPROCESS, case

from toolkit import attacks, plugins, protections
from toolkit.attacks.base import Attack, Knowledge
from toolkit.evaluate.attacking import attack_victim, build_attack, from_label_alone, to_unit, without_looking
from toolkit.evaluate.metrics.pi import pi
from toolkit.evaluate.tasks import make_task
from toolkit.evaluate.victim import Victim
from toolkit.protections.base import Protection

ATTACKS = plugins.names(attacks)
pytestmark = pytest.mark.slow


def _victim(name: str = "none", strength: float | None = None) -> Victim:
    one = case()
    kind = plugins.load(protections, "protection", name, Protection)
    protection, head = one.fitted(kind.build(FEATURES), epochs=1)
    if strength is not None:
        protection.set_strength(strength)
    return Victim(head, one.tail, protection)


def _slant():
    one = case()
    attacker_labels, _ = one.labels()
    attacker = to_unit(one.setting.attacker, PREPROCESS), attacker_labels
    return make_task("slant", attacker, (one.setting.photos, one.setting.labels))


def _run(name: str, victim: Victim, observations: int = 1, draws: int = 1, seed: int = 0):
    attack = build_attack(name)
    task = None if attack.yields == "images" else _slant()
    setting = replace(case().setting, seed=seed)
    return attack_victim(attack, victim, setting, PREPROCESS, task=task, observations=observations, draws=draws)


def test_the_attacks_of_the_comparison_are_there():
    assert set(ATTACKS) == {"rmle", "inverse_network", "attribute"}


@pytest.mark.parametrize("name", ATTACKS)
def test_run_is_given_smashed_features_only(name):
    kind = plugins.load(attacks, "attack", name, Attack)
    assert list(inspect.signature(kind.run).parameters) == ["self", "smashed"]


def test_knowledge_holds_nothing_of_the_test_images():
    assert set(inspect.signature(Knowledge).parameters) == {
        "images", "attribute", "classes", "observe", "head", "seed", "observations", "progress",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["rmle", "inverse_network"])
def test_reconstruction_beats_the_mean_image_on_the_unprotected_early_cut(name):
    one = case()
    found, blind = _run(name, _victim()), without_looking(one.setting, PREPROCESS)
    count = found.images
    assert found.ssim.mean() > blind.ssim[:count].mean() + 0.2
    assert found.mse.mean() < 0.5 * blind.mse[:count].mean()
    assert found.accuracy > blind.accuracy + 0.5


def test_attribute_inference_beats_chance_on_the_unprotected_early_cut():
    found = _run("attribute", _victim())
    assert found.accuracy > found.chance + 0.3


def test_attribute_inference_starts_again_where_its_training_came_to_nothing():
    """A method must not look private because one learning rate killed the attacker's network."""
    hasty = build_attack("attribute", {"learning_rate": 0.2})
    found = attack_victim(hasty, _victim(), case().setting, PREPROCESS, task=_slant(), observations=1, draws=1)
    assert found.accuracy > found.chance + 0.3


@pytest.mark.parametrize("name", ["inverse_network", "attribute"])
def test_without_protection_pi_is_zero_within_noise(name):
    """Another seed of the attacker, not the same figures again."""
    before, after = _run(name, _victim()), _run(name, _victim(), seed=7)
    assert pi(before.accuracy, after.accuracy, after.chance) < 0.12


@pytest.mark.parametrize("name", ["inverse_network", "attribute"])
def test_infinite_noise_leaves_chance(name):
    victim = _victim("gaussian", strength=1e4)
    before, after = _run(name, _victim()), _run(name, victim)
    assert pi(before.accuracy, after.accuracy, after.chance) > 0.85
    one = case()
    user = victim.user_side(one.setting.test, one.setting.labels, 0.9, 3, 0)
    assert user.protected < 0.25


def test_the_averaging_attacker_gains_on_independent_noise():
    victim = _victim("gaussian", strength=2.0)
    assert _run("inverse_network", victim, 30).ssim.mean() > _run("inverse_network", victim, 1).ssim.mean() + 0.05


@pytest.mark.parametrize("name", ["inverse_network", "attribute"])
def test_the_same_seed_gives_the_same_figures(name):
    first, second = (_run(name, _victim("gaussian", 1.0), draws=2) for _ in range(2))
    assert torch.equal(first.success, second.success)
    assert first.accuracy == second.accuracy


def test_the_label_alone_gives_its_class_away():
    one = case()
    known = from_label_alone(one.setting, PREPROCESS, one.labels()[0])
    assert known.accuracy > 0.8
    assert known.ssim.mean() > without_looking(one.setting, PREPROCESS).ssim.mean()
