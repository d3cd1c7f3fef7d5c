"""A worker takes over what the runner wrote, from a cache that both see, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from advlab.engine.provenance import versions
from advlab.engine.workers.handover import Handover, handed_over, taken_over
from advlab.engine.workers.tasks import kind_of, plan_for_here, prepare_task
from advlab.errors import ResultError
from advlab.store.sealed import write_sealed

NODES, PLAN = {"run": {"seed": 1}}, {"cells": ["a"]}


def test_what_is_handed_over_is_taken_over_and_gone_afterwards(tmp_path: Path) -> None:
    with handed_over(NODES, PLAN, tmp_path, None, mixed=False) as handover:
        assert taken_over(handover) == (NODES, PLAN)
        with handed_over(NODES, PLAN, tmp_path, None, mixed=False) as other:  # another run of the same plan
            assert other.path != handover.path
        assert taken_over(handover) == (NODES, PLAN)
    assert not Path(handover.path).exists()


def test_a_cache_that_a_worker_does_not_see_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"the cache of the run cannot be read by this worker .* run.cache_root="):
        taken_over(Handover(str(tmp_path / "elsewhere.json"), "0" * 64))


def test_a_worker_that_sees_another_cache_prepares_nothing(tmp_path: Path) -> None:
    ended = prepare_task(Handover(str(tmp_path / "elsewhere.json"), "0" * 64))
    assert (ended.error, ended.result) == ("ResultError", None)
    assert "name a folder that all of them share, by run.cache_root=" in ended.text


def test_a_file_of_another_run_is_refused(tmp_path: Path) -> None:
    with handed_over(NODES, PLAN, tmp_path, None, mixed=False) as handover:
        write_sealed(Path(handover.path), {"nodes": NODES, "plan": {"cells": ["b"]}})
        with pytest.raises(ResultError, match="is not what the runner wrote"):
            taken_over(handover)


def test_another_kind_of_device_is_refused_unless_it_is_allowed() -> None:
    plan = {"device": "cpu", "device_name": "NVIDIA H100 80GB HBM3"}
    with pytest.raises(
        ResultError, match=r"has cpu .*, where this run's plan was made on NVIDIA H100 80GB HBM3.*cluster.mixed=true"
    ):
        plan_for_here(plan, "auto", mixed=False)
    assert plan_for_here(plan, "cpu", mixed=True) == {**plan, "device": "cpu"}
    assert kind_of("cpu x86_64  16 threads") == kind_of("cpu x86_64  1 threads")


def test_a_worker_with_other_packages_is_refused_unless_it_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mixed in (False, True):
        with monkeypatch.context() as there, handed_over(NODES, PLAN, tmp_path, None, mixed=mixed) as handover:
            there.setattr(
                "advlab.engine.workers.handover.versions", lambda: {**versions(), "torch": "1.0", "python": "3"}
            )
            if mixed:
                assert taken_over(handover) == (NODES, PLAN)
                continue
            with pytest.raises(ResultError, match=r"has torch 1.0 \(the runner: \d.*\): .* type cluster.mixed=true"):
                taken_over(handover)
