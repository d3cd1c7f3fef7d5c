"""Who is there, who was lost, and how long nobody is waited for."""

from __future__ import annotations

import time
from typing import Any

import pytest

from advlab.cluster import Local
from advlab.engine.workers import crew
from advlab.engine.workers.crew import Crew
from advlab.errors import MeasurementError


class Team:
    """Workers of a test."""

    def __init__(self, patience: float = 10.0) -> None:
        self.there: dict[str, str] = {}
        self.cluster, self.asked = Local(workers=2, patience=patience), 0

    def alive(self) -> dict[str, str]:
        return dict(self.there)

    def replace_lost(self) -> None:
        self.asked += 1

    def where_to_look(self) -> str:
        return "look there, "


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the crew sees, as its only entry."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_those_that_go_are_counted_and_those_that_return_are_new(clock: list[float]) -> None:
    team: Any = Team()
    team.there = {"a": "0", "b": "1"}
    seen = Crew(team)
    assert (seen.size, seen.lost, seen.note()) == (2, 0, "2 workers")
    team.there = {"b": "1"}
    seen.look()
    assert (seen.size, seen.lost, seen.note()) == (1, 1, "1 worker, 1 lost")
    team.there = {"b": "1", "c": "0"}
    seen.look()
    assert (seen.size, seen.lost) == (2, 1)
    assert seen.facts() == {"cluster": "local", "joined": 3, "lost": 1}


def test_nobody_is_waited_for_as_long_as_patience_lasts(clock: list[float]) -> None:
    team: Any = Team(patience=10)
    seen = Crew(team)
    clock[0] = 10.0
    seen.look()
    team.there = {"a": "0"}
    seen.look()
    team.there = {}
    clock[0] = 19.0
    seen.look()
    clock[0] = 21.0
    with pytest.raises(
        MeasurementError, match="no worker has come for 10 s, what was measured is kept: look there, wait longer"
    ):
        seen.look()


def test_others_are_asked_for_in_the_place_of_the_lost(clock: list[float]) -> None:
    team: Any = Team(patience=1000)
    team.there = {"a": "0"}
    seen = Crew(team)
    seen.look()
    assert team.asked == 0
    clock[0] = crew.SECONDS_BETWEEN_SUBMISSIONS
    seen.look()
    assert team.asked == 1
    seen.look()
    assert team.asked == 1
    team.there = {"a": "0", "b": "1"}
    clock[0] *= 3
    seen.look()
    assert team.asked == 1
