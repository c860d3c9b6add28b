"""Options, their Pareto front, where they cross, and what is recommended."""

import itertools

import pytest

from toolkit.plan.network import Link, Trace
from toolkit.plan.options import Choice, Power, crossings, price, private, recommend


def split(name: str, head: float, tail: float, size: int, **more: float) -> Choice:
    return Choice("split", name, (size // 4, 2, 2), head, "measured", tail, "measured", size, size, **more)


EDGE = Choice("edge-only", "all on the phone", None, 200.0, "measured", 0.0, "none", 0)
CLOUD = Choice("cloud-only", "photo", None, 0.0, "none", 20.0, "measured", 2_000_000)
CHOICES = [split("early", 10, 18, 400_000), split("late", 60, 8, 20_000), EDGE, CLOUD]


def test_totals_are_the_sum_of_their_parts() -> None:
    for row in price(CHOICES, Link(20, 40), None, None):
        assert row.total_ms == pytest.approx(row.head_ms + row.network_ms + row.tail_ms)
    edge = price([EDGE], Link(1, 500), None, None)[0]
    assert edge.total_ms == 200.0


def test_sizes_of_every_encoding_are_told() -> None:
    row = price([split("x", 1, 1, 1000)], Link(20, 40), None, None)[0]
    assert (row.bytes_uint8, row.bytes_fp16, row.bytes_fp32) == (1000, 2000, 4000)


def test_dominated_options_leave_the_front() -> None:
    worse = split("worse", 61, 9, 20_001)
    rows = {row.name: row for row in price([*CHOICES, worse], Link(20, 40), None, None)}
    assert rows["late"].on_pareto_front
    assert not rows["worse"].on_pareto_front


def test_privacy_can_keep_a_slower_option_on_the_front() -> None:
    exposed = split("fast", 10, 10, 1000, pi=0.2)
    hidden = split("slow", 20, 10, 1000, pi=0.9)
    assert all(row.on_pareto_front for row in price([exposed, hidden], Link(20, 40), None, None))


def test_crossings_are_where_two_options_cost_the_same() -> None:
    by_name = {choice.label: choice for choice in CHOICES}
    found = crossings(CHOICES, 2)
    assert len(found) >= 2
    for item in found:
        below, above = by_name[item.below], by_name[item.above]
        link = Link(item.bandwidth_mbps, 2)
        assert below.total_ms(link) == pytest.approx(above.total_ms(link), rel=0.02)
    assert found[0].below == "edge-only"
    for one, other in itertools.pairwise(found):
        assert one.above == other.below


def test_crossings_of_private_options_know_no_upload() -> None:
    options = [
        split("early", 10, 10, 100_000),
        split("late", 60, 1, 1000),
        Choice("edge-only", "all", None, 90, "measured", 0, "none", 0),
    ]
    upload = Choice("cloud-only", "photo", None, 0, "none", 15, "measured", 10_000)
    found = crossings(private([*options, upload]), 2)
    assert [(item.below, item.above) for item in found] == [("edge-only", "split late"), ("split late", "split early")]
    assert any("photo" in item.above for item in crossings([*options, upload], 2))


def test_each_goal_gets_the_best_of_its_kind() -> None:
    rows = price(CHOICES, Link(20, 40), None, None)
    chosen = {item.goal: item for item in recommend(rows, None, None)}
    assert chosen["lowest latency"].name == min(rows, key=lambda row: row.total_ms).name
    assert chosen["fewest bytes of a split"].name == "late"
    assert chosen["least work on the phone of a split"].name == "early"
    assert "head 10.0" in chosen["least work on the phone of a split"].why


def test_limits_exclude_cuts_whose_privacy_is_unknown_or_too_low() -> None:
    choices = [split("known", 50, 1, 1000, pi=0.7, accuracy_drop=0.005), split("low", 1, 1, 1000, pi=0.3), *CHOICES]
    rows = price(choices, Link(20, 40), None, None)
    chosen = [item for item in recommend(rows, 0.6, 0.01) if item.option == "split" and "PI" in item.goal]
    assert {item.name for item in chosen} == {"known"}


def test_energy_is_computed_only_where_power_is_known() -> None:
    assert price([EDGE], Link(20, 40), None, None)[0].energy_mj is None
    row = price([split("x", 10, 1, 100_000)], Link(20, 40), None, Power(3.0, 1.0))[0]
    assert row.energy_mj == pytest.approx(10 * 3 + Link(20, 40).send_ms(100_000) * 1)


def test_a_trace_decides_by_its_mean_and_tells_its_tail() -> None:
    trace = Trace("t", (0, 1, 2, 3), (20, 20, 20, 1))
    row = price([split("x", 10, 1, 100_000)], Link(20, 40), trace, None)[0]
    assert row.total_p90_ms is not None
    assert row.total_p90_ms > row.total_ms > 11
