"""What workers say while they work, their log and how far their training has come, shown and written by the runner."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import distributed

from advlab.engine.workers.tasks import LOG, PROGRESS
from advlab.progress import TaskProgress

log = logging.getLogger(__name__)

MOST_REMEMBERED = 10_000  # texts: each worker that loads the same network says the same of it

_shown: dict[str, None] = {}  # texts of the run that is under way


def forget_what_was_said() -> None:
    """Let the next run of a sweep, whose log.txt is another, hear again what workers have said of the one before."""
    _shown.clear()


@contextlib.contextmanager
def listening(client: distributed.Client) -> Iterator[None]:
    """While the block runs, show what workers log, each text once in a run, and how far they have come."""
    forget_what_was_said()
    progress = TaskProgress()

    def show_log(event: tuple[float, Any]) -> None:
        text = str(event[1]["text"])
        if text not in _shown:
            _shown[text] = None
            if len(_shown) > MOST_REMEMBERED:
                _shown.pop(next(iter(_shown)))
            log.log(int(event[1]["level"]), "%s", text)

    def show_progress(event: tuple[float, Any]) -> None:
        progress(str(event[1]["title"]), int(event[1]["done"]), int(event[1]["total"]))

    client.subscribe_topic(LOG, show_log)
    client.subscribe_topic(PROGRESS, show_progress)
    try:
        yield
    finally:
        progress.close()
        with contextlib.suppress(Exception):  # a scheduler that is gone
            client.unsubscribe_topic(LOG)
            client.unsubscribe_topic(PROGRESS)
