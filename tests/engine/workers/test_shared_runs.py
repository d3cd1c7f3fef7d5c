"""Runs on processes of this machine: the same bytes, nothing lost but units in work, faults named."""

from __future__ import annotations

import signal

import pytest

from advlab.store.run_directory import RunDirectory
from tests.helpers.shared_runs import Shared, is_alive, shared_table

RUN = "outputs/shared/v001"


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.long), 3])
def test_the_table_is_that_of_one_process_and_each_unit_is_carried_out_once(shared: Shared, workers: int) -> None:
    ended = shared.measure(f"run.workers={workers}")
    assert ended.code == 0, ended.err
    assert shared.table() == shared_table()
    assert sorted(shared.log()) == sorted(["begin", "square", *(f"n-{i}" for i in range(6))])
    assert {"cluster": "local", "joined": workers, "lost": 0}.items() <= shared.manifest()["workers"].items()
    assert (shared.run / "files/kept-4.txt").read_text() == "4"
    assert not (shared.run / "status.json").exists()
    assert not list((shared.folder / "cache/runs-in-work").iterdir())
    assert RunDirectory(shared.run).finished()
    assert not RunDirectory(shared.run).damaged()


def test_a_cache_that_cannot_be_written_is_refused_before_any_worker_starts(shared: Shared) -> None:
    (shared.folder / "file").write_text("")
    ended = shared.measure("run.workers=2", f"run.cache_root={shared.folder}/file/cache")
    assert ended.code == 2
    assert "name another place by run.cache_root=" in ended.err.splitlines()[-1]
    assert "starting workers" not in ended.err
    assert not shared.run.exists()


def test_a_unit_that_raises_ends_the_run_and_the_others_are_kept(shared: Shared) -> None:
    shared.order("n-2", "raise")
    ended = shared.measure("run.workers=2", "experiment.count=12")
    assert ended.code == 1
    assert "the cell n-2 failed on worker" in ended.err
    assert "RuntimeError: a defect of the author's" in ended.err
    assert "act(cell.id)" in ended.err  # the traceback of the worker
    assert ended.err.splitlines()[-1].endswith(": RuntimeError: a defect of the author's")
    assert "Traceback" not in shared.manifest()["reason"]
    kept = {path.stem for path in (shared.run / "cells").glob("*.csv")}
    assert "n-2" not in kept
    begun = set(shared.log()) - {"begin", "square"}
    assert begun - {"n-2"} == kept  # what was under way was waited for
    assert len(begun) < 12
    assert shared.manifest()["status"] == "failed"
    ended = shared.call("resume", str(shared.run), "run.workers=3")
    assert ended.code == 0, ended.err
    assert shared.table() == shared_table(12)
    assert set(shared.log()) - {"begin", "square"} == {f"n-{i}" for i in range(12)} - kept


@pytest.mark.long
def test_a_stage_that_raises_is_named(shared: Shared) -> None:
    shared.order("square", "raise")
    ended = shared.measure("run.workers=2")
    assert ended.code == 1
    assert "the stage square failed on worker" in ended.err


@pytest.mark.long
def test_a_refusal_keeps_its_exit_code_and_names_the_unit(shared: Shared) -> None:
    shared.order("n-1", "refuse")
    ended = shared.measure("run.workers=2")
    assert ended.code == 2
    last = ended.err.splitlines()[-1]
    assert last.startswith("advlab: the cell n-1 on worker ")
    assert last.endswith(": nothing qualifies: take more samples")


@pytest.mark.long
def test_code_that_ends_programs_ends_no_worker(shared: Shared) -> None:
    shared.order("n-3", "end")
    ended = shared.measure("run.workers=1")
    assert ended.code == 1
    assert "SystemExit" in ended.err


@pytest.mark.long
def test_rows_that_cannot_travel_are_a_defect_of_their_cell(shared: Shared) -> None:
    shared.order("n-2", "give a lock")
    ended = shared.measure("run.workers=2")
    assert ended.code == 1
    assert "the cell n-2 failed on worker" in ended.err.splitlines()[-1]
    assert "cannot pickle" in ended.err


@pytest.mark.long
def test_units_that_were_with_the_same_workers_are_both_named(shared: Shared) -> None:
    """The stage waits beside the cell that ends its worker, and is not the cause."""
    shared.order("n-2", "always die")
    ended = shared.measure("run.workers=1", "experiment.count=4")
    assert ended.code == 2
    last = ended.err.splitlines()[-1]
    assert "the cell n-2" in last
    assert "ended 6 workers" in last


def test_what_a_lost_worker_had_in_work_is_done_again(shared: Shared) -> None:
    for unit in ("begin", "n-1", "n-4"):
        shared.order(unit, "die")
    ended = shared.measure("run.workers=2")
    assert ended.code == 0, ended.err
    assert shared.table() == shared_table()
    assert sorted(shared.log()).count("n-4") == 2
    assert shared.manifest()["workers"]["lost"] >= 1
    assert "is lost; what it had in work is done again" in ended.err


@pytest.mark.long
def test_a_unit_that_ends_every_worker_is_given_up(shared: Shared) -> None:
    shared.order("n-1", "always die")
    ended = shared.measure("run.workers=1", "experiment.count=2")
    assert ended.code == 2
    assert "the cell n-1 has ended 6 workers one after the other, as what runs out of memory does" in ended.err
    assert shared.log().count("n-1") == 6


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(number, marks=pytest.mark.long) for number in (signal.SIGKILL, signal.SIGINT))],
)
def test_when_the_runner_ends_so_do_its_workers(shared: Shared, number: signal.Signals) -> None:
    release = shared.hold("n-3")
    process = shared.start("experiment=shared", "run.workers=2", "experiment.count=4")
    shared.until(lambda: len(list((shared.run / "cells").glob("*.csv"))) == 3 and len(shared.pids()) == 6)
    pids = set(shared.pids())
    process.send_signal(number)
    ended = shared.ended(process)
    assert ended.code == (-number if number == signal.SIGKILL else 128 + number)
    shared.until(lambda: not any(map(is_alive, pids)))
    if number != signal.SIGKILL:
        assert f"go on with: advlab --plugin {shared.plugin} resume outputs/shared/v001 cluster=local" in ended.err
        assert "Traceback" not in ended.err
    release()
    shared.log()
    ended = shared.call("resume", str(shared.run))
    assert ended.code == 0, ended.err
    assert shared.log() == ["n-3"]
    assert shared.table() == shared_table(4)


def test_status_says_who_does_what(shared: Shared) -> None:
    release = shared.hold("n-1")
    process = shared.start("experiment=shared", "run.workers=2", "experiment.count=2")
    shared.until(lambda: "n-1" in shared.call("status", RUN).out if shared.run.exists() else False)
    first, second, *workers = shared.call("status", RUN).out.splitlines()
    assert first == f"{RUN}: 1 of 2 cells"
    assert second.strip().startswith("2 workers, ")
    assert sorted(line.split(": ")[1] for line in workers) == ["cell:n-1", "nothing"]
    release()
    assert shared.ended(process).code == 0
    assert shared.call("status", RUN).out == f"{RUN}: complete, 2 cells\n"


def test_a_sweep_shares_its_workers(shared: Shared) -> None:
    ended = shared.call("-m", "experiment=shared", "experiment.start=2,3", "run.workers=2")
    assert ended.code == 0, ended.err
    assert ended.err.count("starting workers") == 1
    assert shared.table() == shared_table()
    assert (shared.folder / "outputs/shared/v002/table.csv").read_text() == shared_table(start=3.0)
