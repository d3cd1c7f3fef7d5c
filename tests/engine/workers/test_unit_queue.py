"""Units are handed out in order, each after the stages that it needs, and every one once."""

from __future__ import annotations

import random

import pytest

from advlab.engine.workers.unit_queue import UnitQueue


def taken(units: UnitQueue) -> list[str]:
    """All that can be taken now."""
    found = []
    while (unit := units.take()) is not None:
        found.append(unit)
    return found


def test_cells_without_stages_come_in_their_order() -> None:
    units = UnitQueue(["b", "a", "c"], {"a": (), "b": (), "c": ()})
    assert taken(units) == ["cell:b", "cell:a", "cell:c"]
    assert units.take() is None


def test_a_stage_is_taken_once_and_before_the_cells_that_need_it() -> None:
    units = UnitQueue(["a", "b", "c"], {"a": ("s",), "b": (), "c": ("s", "t")})
    assert taken(units) == ["stage:s", "cell:b", "stage:t"]
    units.stage_done("s")
    assert taken(units) == ["cell:a"]
    units.stage_done("t")
    assert taken(units) == ["cell:c"]


def test_stages_that_are_there_are_not_taken() -> None:
    assert taken(UnitQueue(["a"], {"a": ("s",)}, {"s"})) == ["cell:a"]


def test_a_stage_that_lacks_others_is_taken_again_after_them() -> None:
    units = UnitQueue(["a"], {"a": ("late",)})
    assert taken(units) == ["stage:late"]
    units.stage_lacks("late", ("first", "second"))
    assert taken(units) == ["stage:first", "stage:second"]
    units.stage_done("second")
    assert taken(units) == []
    units.stage_done("first")
    assert taken(units) == ["stage:late"]
    units.stage_done("late")
    assert taken(units) == ["cell:a"]


def test_a_stage_that_lacks_what_is_done_is_no_endless_loop() -> None:
    units = UnitQueue(["a"], {"a": ("s", "t")})
    units.take()
    units.stage_done("s")
    with pytest.raises(ValueError, match="the stage t lacks s, which has been made"):
        units.stage_lacks("t", ("s",))


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_are_carried_out_whole_and_in_order(seed: int) -> None:
    """Whatever comes back first: each unit once (a stage that lacks others twice), and never before what it needs."""
    draw = random.Random(seed)
    needs = {f"s{n}": tuple(f"s{m}" for m in range(n) if draw.random() < 0.3) for n in range(12)}
    of_cells = {f"c{n}": tuple(draw.sample(sorted(needs), draw.randrange(4))) for n in range(30)}
    units = UnitQueue(list(of_cells), of_cells)
    in_work: list[str] = []
    done: list[str] = []
    while True:
        while len(in_work) < 5 and (unit := units.take()) is not None:
            in_work.append(unit)
        if not in_work:
            break
        kind, _, unit_id = in_work.pop(draw.randrange(len(in_work))).partition(":")
        if kind == "cell":
            assert set(of_cells[unit_id]) <= set(done)
            done.append(unit_id)
        elif lacks := tuple(other for other in needs[unit_id] if other not in done):
            units.stage_lacks(unit_id, lacks)
        else:
            done.append(unit_id)
            units.stage_done(unit_id)
    wanted = set(of_cells)
    waiting = [stage for stages in of_cells.values() for stage in stages]
    while waiting:
        stage = waiting.pop()
        wanted.add(stage)
        waiting += needs[stage]
    assert sorted(done) == sorted(wanted)
