"""Checkpoints after so many steps instead of seconds, for tests that end a training at any moment."""

from __future__ import annotations

from pathlib import Path

from advlab.store.checkpoints import CheckpointFolder
from advlab.training.resumption import TrainingCheckpoints, TrainingState


class FrequentCheckpoints(TrainingCheckpoints):
    """A checkpoint after every `steps` steps."""

    def __init__(self, folder: Path, steps: int, key: str = "training") -> None:
        super().__init__(CheckpointFolder(folder, {"key": key}), seconds=1e6)
        self.steps = steps

    def after(self, done: int, state: TrainingState) -> None:
        """Write one if `done` is a multiple."""
        if done % self.steps == 0:
            self._due = 0.0
            super().after(done, state)
