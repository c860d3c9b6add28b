"""The order in which attacks begin side by side, and how long that takes."""

import copy
import pickle
from types import SimpleNamespace

import pytest
import torch

from toolkit import errors
from toolkit.evaluate.jobs import Job, Order, makespan, shares
from toolkit.evaluate.side_by_side import worker_count

DECODER, PRIOR, RMLE = (Job("victim", name) for name in ("residual_decoder", "prior_decoder", "rmle"))
LINKER, LABEL = Job("victim", "linker", "linking"), Job("victim", "attribute", "label")
JOBS = [LABEL, DECODER, PRIOR, RMLE, LINKER]
SECONDS = {LABEL: 1.0, DECODER: 10.0, PRIOR: 8.0, RMLE: 2.0, LINKER: 15.0}


def test_what_most_waits_for_begins_first_and_the_others_wait_for_it() -> None:
    order = Order(JOBS, SECONDS)
    assert order.begin() == DECODER  # 18 seconds until the end, with the prior behind it
    assert order.begin() == LINKER
    assert order.begin() == LABEL
    assert order.begin() is None  # both decoders that are left start from the first one's
    order.done(DECODER)
    assert [order.begin(), order.begin(), order.begin()] == [PRIOR, RMLE, None]


def test_the_first_that_is_left_trains_what_others_start_from() -> None:
    order = Order([RMLE, PRIOR], SECONDS)
    assert order.begin() == RMLE
    assert order.begin() is None
    order.done(RMLE)
    assert order.begin() == PRIOR


def test_another_victim_and_fewer_photos_wait_for_nothing() -> None:
    other, fewer = Job("other", "residual_decoder"), Job("victim", "residual_decoder", photos=20)
    order = Order([DECODER, other, fewer], dict.fromkeys([DECODER, other, fewer], 1.0))
    assert {order.begin(), order.begin(), order.begin()} == {DECODER, other, fewer}


@pytest.mark.parametrize(("workers", "seconds"), [(1, 36.0), (2, 18.0), (9, 18.0)])
def test_the_time_of_all(workers: int, seconds: float) -> None:
    # two at a time: decoder 0-10 and linker 0-15; then prior 10-18, label 15-16, rmle 16-18
    assert makespan(JOBS, SECONDS, workers) == seconds


@pytest.mark.parametrize("processes", [1, 2, 3, 9])
def test_processes_that_do_not_talk_share_all_jobs_and_split_no_base(processes: int) -> None:
    parts = shares(JOBS, processes)
    assert len(parts) == processes
    assert sorted(job.text for part in parts for job in part) == sorted(job.text for job in JOBS)
    (whole,) = (part for part in parts if DECODER in part)
    assert {PRIOR, RMLE} <= set(whole)
    assert processes == 1 or LINKER not in whole


def test_errors_come_out_of_a_worker_as_they_went_in() -> None:
    one = errors.UnknownNameError("attack", "rmel", ("rmle", "linker"))
    two = errors.MissingExtraError("skimage", "privacy", "This command")
    for error in (one, two, errors.InputError("Too short.")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert str(copy.copy(error)) == str(error)


def test_workers_where_they_pay_and_never_beside_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRIPRO_WORKERS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    here, gpu = (SimpleNamespace(setting=SimpleNamespace(device=torch.device(name))) for name in ("cpu", "cuda"))
    assert worker_count(here, 900.0) == 4
    assert worker_count(here, 20.0) == 1
    assert worker_count(gpu, 900.0) == 1
    for said, workers in (("3", 3), ("1", 1), ("0", 1), ("many", 4)):
        monkeypatch.setenv("PRIPRO_WORKERS", said)
        assert worker_count(here, 900.0) == workers
    monkeypatch.setenv("PRIPRO_WORKERS", "3")
    assert worker_count(here, 20.0) == 3
    assert worker_count(gpu, 20.0) == 1
