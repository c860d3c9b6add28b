"""The network's part of a plan: serialisation, slow start, traces, and what users may mistype."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.errors import InputError
from toolkit.plan.network import WIRE_FACTOR, Link, Trace, parse_quantity, read_trace

RATES = {"Mbps": 1.0, "kbps": 1e-3, "Gbps": 1e3}


def test_a_warm_link_takes_serialisation_and_one_round_trip() -> None:
    # 125,000 bytes are 1,000,000 bits: 50 ms at 20 Mbps
    assert Link(20, 40, warm=True).request_ms(125_000) == pytest.approx(50 * WIRE_FACTOR + 40)


def test_an_idle_link_waits_for_acknowledgements_while_its_window_grows() -> None:
    # windows of 10 and 20 segments hold 13,032 and 28,960 bytes of the body, behind its head; then they wait
    wait = sum(40 - 8 * WIRE_FACTOR * window / 20e3 for window in (13_032, 28_960))
    assert Link(20, 40).send_ms(80_000) == pytest.approx(Link(20, 40, warm=True).send_ms(80_000) + wait)


def test_nothing_sent_costs_nothing() -> None:
    assert Link(1, 40).request_ms(0) == 0


@given(st.integers(1, 10**7), st.floats(0.1, 1000), st.floats(0.1, 500))
@example(101_361, 100.0, 40.0)
@example(14_480 * 3 + 1, 500.0, 500.0)
def test_more_bytes_less_bandwidth_or_a_longer_way_never_make_it_faster(size: int, mbps: float, rtt: float) -> None:
    here = Link(mbps, rtt).request_ms(size)
    assert here <= Link(mbps, rtt).request_ms(size + 1000) + 1e-9
    assert here <= Link(mbps / 2, rtt).request_ms(size) + 1e-6
    assert here <= Link(mbps, rtt * 2).request_ms(size) + 1e-6


def test_a_trace_weighs_moments_by_how_long_they_hold() -> None:
    trace = Trace("t", (0, 8, 10), (10, 1, 100))
    assert trace.durations() == (8, 2, 2)
    mean, p90 = trace.request_ms(125_000, 0.001)
    times = [Link(mbps, 0.001).request_ms(125_000) for mbps in (10, 1, 100)]
    assert mean == pytest.approx((8 * times[0] + 2 * times[1] + 2 * times[2]) / 12)
    assert p90 == pytest.approx(times[1])


def test_traces_are_read_with_and_without_a_heading(tmp_path: Path) -> None:
    path = tmp_path / "lte.csv"
    path.write_text("seconds,mbps\n0,12.5\n1,3\n")
    assert read_trace(path) == Trace("lte.csv", (0, 1), (12.5, 3))
    path.write_text("0,12.5\n1,3\n")
    assert read_trace(path).mbps == (12.5, 3)


@pytest.mark.parametrize("text", ["", "0,1\n0,2\n", "0,0\n", "0,nan\n", "0,1\nx,2\n", "0\n", "seconds,mbps\n"])
def test_traces_that_do_not_fit_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"bad\.csv"):
        read_trace(path)


@pytest.mark.parametrize(("text", "value"), [("20Mbps", 20), ("20", 20), ("500 kbps", 0.5), ("1.5gbps", 1500)])
def test_quantities_carry_their_unit(text: str, value: float) -> None:
    assert parse_quantity(text, RATES, "--bandwidth") == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "fast", "-3Mbps", "0", "infMbps", "nan"])
def test_quantities_that_do_not_fit_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--bandwidth"):
        parse_quantity(text, RATES, "--bandwidth")


def test_the_requests_head_is_a_segment_that_can_cost_a_round_trip() -> None:
    # 10 + 20 + 40 segments go out in three windows
    three, four = (Link(100, 40).send_ms(count * 1448) for count in (69, 70))
    assert four - three > 30
