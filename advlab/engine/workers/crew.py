"""Who works on a run: the workers that are there, those that were lost, and whether there is anybody."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Protocol

from advlab.cluster import Cluster
from advlab.errors import MeasurementError

log = logging.getLogger(__name__)

SECONDS_BETWEEN_SUBMISSIONS = 30.0
DEATHS = 5  # of its workers that one unit survives, which may have waited beside the unit that was the cause


class Asked(Protocol):
    """Who tells of the workers (`advlab.engine.workers.start.Workers`)."""

    cluster: Cluster
    client: Any

    def alive(self) -> dict[str, str]:
        """Address -> name of the workers that are there."""

    def replace_lost(self) -> None:
        """Ask for others in the place of the lost."""

    def where_to_look(self) -> str:
        """What tells why no worker comes."""


class Crew:
    """The workers of a run, as they were counted last.

    Args:
        workers: the means to ask.

    Attributes:
        lost: how many have gone without being asked to, those among them that came back.
        deaths_allowed: how many deaths in a row end a run, when one unit is carried out in each.
    """

    def __init__(self, workers: Asked) -> None:
        self._workers, self._alive, self._joined = workers, workers.alive(), 0
        self._joined = len(self._alive)
        self.lost, self.deaths_allowed = 0, DEATHS + 1
        self._nobody_since = self._submitted = time.monotonic()

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._alive)

    def names(self) -> list[str]:
        """What they are called."""
        return sorted(self._alive.values())

    def count(self) -> None:
        """See who is there, and who has come and gone since."""
        before, self._alive = self._alive, self._workers.alive()
        gone = [name for address, name in before.items() if address not in self._alive]
        self._joined += sum(address not in before for address in self._alive)
        self.lost += len(gone)
        for name in gone:
            log.warning("the worker %s is lost; what it had in work is done again", name)

    def look(self) -> None:
        """Count them; ask for others in the place of those that are lost.

        Raises:
            MeasurementError: there has been nobody for longer than `cluster.patience`.
        """
        now = time.monotonic()
        self.count()
        if self.size < self._workers.cluster.wanted and now - self._submitted >= SECONDS_BETWEEN_SUBMISSIONS:
            self._submitted = now
            self._workers.replace_lost()
        if self._alive:
            self._nobody_since = now
        elif now - self._nobody_since > self._workers.cluster.patience:
            raise MeasurementError(
                f"no worker has come for {self._workers.cluster.patience:g} s, what was measured is kept: "
                f"{self._workers.where_to_look()}wait longer with cluster.patience=SECONDS, or go on without workers"
            )

    def who_works(self, in_work: Mapping[Any, str]) -> dict[str, list[str]]:
        """Name of a worker -> the units that it has; those that none has yet are under an empty name."""
        names, units = self._alive, {future.key: unit for future, unit in in_work.items()}
        found: dict[str, list[str]] = {}
        processing: Mapping[str, Any] = self._workers.client.processing()
        for address, keys in processing.items():
            mine = [units.pop(key) for key in keys if key in units]
            if mine:
                found[names.get(address, address)] = mine
        return found | ({"": sorted(units.values())} if units else {})

    def note(self) -> str:
        """How many there are, for the line of progress."""
        return f"{self.size} worker{'' if self.size == 1 else 's'}" + (f", {self.lost} lost" if self.lost else "")

    def facts(self) -> dict[str, Any]:
        """What the manifest says of them."""
        return {"cluster": type(self._workers.cluster).__name__.lower(), "joined": self._joined, "lost": self.lost}
