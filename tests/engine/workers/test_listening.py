"""What workers say is shown once in a run, and again in the next run of a sweep, whose log is another."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("distributed")

from advlab.engine.workers.listening import forget_what_was_said, listening
from advlab.engine.workers.tasks import LOG


class Events:
    """A client's subscriptions."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[Any], None]] = {}

    def subscribe_topic(self, topic: str, handler: Callable[[Any], None]) -> None:
        self.handlers[topic] = handler

    def unsubscribe_topic(self, topic: str) -> None:
        del self.handlers[topic]


def test_a_text_is_shown_once_in_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("advlab.engine.workers.listening.log.log", lambda level, form, text: shown.append(form % text))
    client, warning = Events(), {"level": logging.WARNING, "text": "the network is measured as it is"}
    with listening(client):  # type: ignore[arg-type]
        for run in range(2):
            forget_what_was_said()  # as each run does that is prepared on workers
            for _ in range(3):  # workers that load the same network
                client.handlers[LOG]((0.0, warning))
            assert shown == [warning["text"]] * (run + 1)
    assert not client.handlers
