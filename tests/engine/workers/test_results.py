"""What comes back of a unit, or of whoever was to carry it out."""

from __future__ import annotations

from typing import Any

import pytest
from distributed.client import FutureCancelledError

from advlab.engine.workers.outcomes import result_of
from advlab.engine.workers.tasks import Outcome, caught
from advlab.errors import MeasurementError

CREW: Any = None  # is asked after deaths alone


class Ended:
    """A future that has ended."""

    def __init__(self, given: Outcome | Exception) -> None:
        self.given = given

    def result(self) -> Outcome:
        """What it gave."""
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


def test_what_a_task_gave_comes_back() -> None:
    future: Any = Ended(caught(lambda: {"rows": [1.5]}))
    result, seconds = result_of(future, "the cell a", crew=CREW)
    assert result == {"rows": [1.5]}
    assert seconds > 0


def test_a_scheduler_that_is_gone_is_no_defect_of_a_unit() -> None:
    future: Any = Ended(FutureCancelledError("unit_task-1", "scheduler-connection-lost"))
    with pytest.raises(
        MeasurementError, match=r"the cell a was lost with the connection to the scheduler.*advlab resume"
    ):
        result_of(future, "the cell a", crew=CREW)
