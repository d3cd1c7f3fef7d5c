"""The state of a training under way, written now and then and brought back, so that the training goes on to the same bytes."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from advlab.store.atomic import StorageError
from advlab.store.checkpoints import Arrays, CheckpointFolder
from advlab.training.checkpoint_checks import check_shapes, checked_sums, epoch_log, is_number
from advlab.training.epochs import EpochLog, EpochMeter
from advlab.training.random_states import random_states, restore_random_states

log = logging.getLogger(__name__)

#: what optimizers keep of each parameter; `step` is one number, all else has the parameter's shape
OPTIMIZER_STATE = {
    "SGD": ("momentum_buffer",),
    "Adam": ("step", "exp_avg", "exp_avg_sq"),
    "AdamW": ("step", "exp_avg", "exp_avg_sq"),
}
HEADER_BYTES = 1 << 12  # of a tensor in safetensors' header, at most: names of modules are shorter
MOST_OF_THE_TIME = (
    20  # a checkpoint that takes long to write is followed by at least so many times its time of training
)


@dataclass(kw_only=True)
class TrainingState:
    """All that changes while a network is trained, but for the order of the images, which follows from seed and step.

    Attributes:
        network: on the training's device.
        optimizer: of its parameters.
        generator: of augmentation and adversary.
        meter: of the running epoch; all of its losses have been read.
        epochs: those that have ended.
        total_steps: of the training.
        precision: in which it runs.
        started: on the clock of `time.perf_counter`, less what was trained before.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    meter: EpochMeter
    epochs: list[EpochLog]
    total_steps: int
    precision: str
    started: float

    def arrays(self) -> Arrays:
        """Copies of all tensors: weights and buffers, what the optimizer keeps, and the states of the random numbers."""
        tensors = {f"network.{name}": value for name, value in self._tensors()}
        for number, parameter in enumerate(self._parameters()):
            for name, value in self.optimizer.state.get(parameter, {}).items():
                if value is not None:
                    tensors[f"optimizer.{number}.{name}"] = torch.as_tensor(value)
        tensors |= {f"random.{name}": value for name, value in random_states(self.generator).items()}
        return {name: value.detach().cpu().numpy() for name, value in tensors.items()}

    def facts(self) -> dict[str, Any]:
        """The rest, as JSON."""
        return {
            "total_steps": self.total_steps, "precision": self.precision, "seconds": time.perf_counter() - self.started,
            "threads": torch.get_num_threads(), "torch": torch.__version__,
            "meter": self.meter.sums(), "epochs": [asdict(epoch) for epoch in self.epochs],
        }  # fmt: skip

    def largest(self) -> int:
        """Bytes that the file of the arrays cannot exceed: the optimizer keeps at most two tensors and a number of a parameter."""
        sizes = [value.numel() * value.element_size() for _, value in self._tensors()]
        return 3 * sum(sizes) + (4 * len(sizes) + 8) * HEADER_BYTES

    def restore(self, step: int, arrays: Arrays, facts: Mapping[str, Any]) -> None:
        """Take over what `arrays` and `facts` gave after `step` steps.

        Raises:
            ValueError: they are not those of such a training; nothing has changed then.
        """
        values = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        if not 0 < step < self.total_steps or facts.get("total_steps") != self.total_steps:
            raise ValueError("it is of a training of other steps")
        if facts.get("precision") != self.precision:
            raise ValueError(f"it is of a training in {facts.get('precision')!r}")
        if not is_number(facts.get("seconds")):
            raise ValueError("its time is no number")
        if not isinstance(facts.get("epochs"), list) or len(facts["epochs"]) > step:
            raise ValueError("its epochs are not a list of those that ended")
        epochs, meter = [epoch_log(entry) for entry in facts["epochs"]], checked_sums(facts.get("meter"))
        kept = self._kept(values)
        check_shapes(values, {f"network.{name}": value for name, value in self._tensors()} | kept)
        for name, _ in self.network.named_parameters():
            if not bool(values[f"network.{name}"].isfinite().all()):
                raise ValueError(f"its weights {name} are not finite")
        restore_random_states(
            self.generator, {name: values[f"random.{name}"] for name in random_states(self.generator)}
        )
        with torch.no_grad():
            for name, value in self._tensors():
                value.copy_(values[f"network.{name}"])
        for number, parameter in enumerate(self._parameters()):
            prefix = f"optimizer.{number}."
            # in the strides of the parameter, as the optimizer made them: fused steps go through the memory as it lies
            state = {
                name.removeprefix(prefix): torch.empty_like(template, device=parameter.device).copy_(values[name])
                for name, template in kept.items()
                if name.startswith(prefix)
            }
            if state:
                self.optimizer.state[parameter] = state
        self.meter.restore(meter)
        self.epochs[:] = epochs
        self.started = time.perf_counter() - float(facts["seconds"])
        tell_differences(facts)

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters and buffers, those that no state_dict holds among them."""
        yield from self.network.named_parameters()
        yield from self.network.named_buffers()

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def _kept(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Name -> a tensor of the shape and type that it must have, of optimizer and random numbers."""
        names = OPTIMIZER_STATE[type(self.optimizer).__name__]
        kept = {f"random.{name}": value for name, value in random_states(self.generator).items()}
        for number, parameter in enumerate(self._parameters()):
            prefix = f"optimizer.{number}."
            if any(name.startswith(prefix) for name in values):  # a parameter without a gradient has none
                step = torch.zeros((), dtype=torch.float32)
                kept |= {prefix + name: step if name == "step" else parameter.detach() for name in names}
        return kept


class TrainingCheckpoints:
    """Writes the state of one training every so many seconds.

    Args:
        folder: where; nobody else writes there meanwhile.
        seconds: between two checkpoints; a training that is shorter writes none.

    Attributes:
        resumed_at: the steps that were done before this process went on, 0 if it began anew.
    """

    def __init__(self, folder: CheckpointFolder, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self.resumed_at = 0
        self._due = time.perf_counter() + seconds
        self._refused = False  # by the file system, the last time; it is said once

    def resume(self, state: TrainingState) -> int:
        """Bring back the newest checkpoint that is whole; how many steps were done, 0 if there is none."""
        self.resumed_at = self.folder.restore(state.restore, state.largest())
        if self.resumed_at:
            log.info("training goes on after step %d of %d", self.resumed_at, state.total_steps)
        self._due = time.perf_counter() + self.seconds
        return self.resumed_at

    def after(self, done: int, state: TrainingState) -> None:
        """Write a checkpoint after `done` steps, if it is time; where there is no room, the training goes on without."""
        now = time.perf_counter()
        if now < self._due:
            return
        try:
            self.folder.write(done, state.arrays(), state.facts())
            self._refused = False
        except StorageError as error:
            if not self._refused:
                log.warning("no checkpoint could be written, training goes on without: %s", error)
            self._refused = True
        written = time.perf_counter()
        self._due = written + max(self.seconds, MOST_OF_THE_TIME * (written - now))


def tell_differences(facts: Mapping[str, Any]) -> None:
    """Warn where the checkpoint was made under what changes the last bits of torch's sums."""
    for name, here in {"threads": torch.get_num_threads(), "torch": torch.__version__}.items():
        if facts.get(name) != here:
            log.warning(
                "training began with %s=%s and goes on with %s=%s: the weights may differ in their last bits from those of a "
                "training in one go", name, str(facts.get(name))[:40], name, here,
            )  # fmt: skip
