"""Forward passes as a run makes them: in its precision and memory format, counted, halved when memory runs out."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from advlab.models.classifier import Classifier
from advlab.models.full_precision import warned_obstacle

log = logging.getLogger(__name__)
MemoryFormat = Literal["channels_last", "contiguous"]
T = TypeVar("T")


@dataclass(frozen=True)
class Execution:
    """How forward passes are made; kept in the plan, so that a resumed run gives the same bits."""

    batch_size: int  # images in one forward pass
    memory_format: MemoryFormat
    precision: str  # float32, tf32 or bf16

    @property
    def torch_format(self) -> torch.memory_format:
        """The memory format as torch names it."""
        return torch.channels_last if self.memory_format == "channels_last" else torch.contiguous_format


def set_precision(precision: str) -> None:
    """Sets torch to strict float32 (TF32 off), or to TF32 for "tf32"; `Forward` itself handles "bf16"."""
    allowed = precision == "tf32"
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed


NO_MEMORY = (  # what torch says, then CUDA's libraries of their own memory, as in CUBLAS_STATUS_ALLOC_FAILED, and of a handle's
    "out of memory", "can't allocate memory", "not enough memory", "size calculation overflowed", "status_alloc_failed",
    "cublascreate", "cusolverdncreate", "cudnncreate")  # fmt: skip


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that the device or the host ran out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in NO_MEMORY)


class Forward:
    """Images to logits and features, in a run's precision and memory format.

    A batch that does not fit into memory is halved, and so are those after it.

    Args:
        classifier: moved to the memory format of `execution`.
        execution: precision, memory format and batch size.

    Attributes:
        limit: largest number of images that one forward pass takes: the batch size, or less after memory ran out.
        images: how many images went through so far.
        halvings: sizes of the batches that did not fit.
        double_device: where float64 is computed: the classifier's device, or the CPU where that has no float64.
    """

    def __init__(self, classifier: Classifier, execution: Execution) -> None:
        # torch's type stubs have no overload for a memory format alone, here and below
        self.classifier = classifier.to(memory_format=execution.torch_format)  # type: ignore[call-overload]
        self.execution = execution
        self.limit = execution.batch_size
        self.images = 0
        self.halvings: list[int] = []
        self.double_device = torch.device("cpu") if classifier.device.type == "mps" else classifier.device

    def __call__(self, x: Tensor) -> Tensor:
        """(N, K) float32 logits of (N, C, H, W) images on the classifier's device.

        Raises:
            torch.OutOfMemoryError: not even one image fits.
        """
        with torch.no_grad():
            return self._halving(x, lambda part: (self.classifier_logits(part),))[0]

    @property
    def attack_target(self) -> Callable[[Tensor], Tensor]:
        """The network as attacks are given it: (n, C, H, W) images to (n, K) logits, differentiable, in this precision."""
        # autocast belongs to the forwards, and not to the classifier
        if self.execution.precision != "bf16":
            return self.classifier
        return DefendedInPrecision(self, self.classifier) if self.classifier.is_defended else self.classifier_logits

    def layer_features(
        self, x: Tensor, layers: Sequence[str], *, option: str = "probe.layer"
    ) -> tuple[Tensor, list[Tensor]]:
        """(N, K) logits and the (N, R) features of each layer, float32 (see `Classifier.layer_features`)."""

        def call(part: Tensor) -> tuple[Tensor, ...]:
            with torch.no_grad(), self.autocast():
                logits, features = self.classifier.layer_features(self._laid_out(part), layers, option=option)
            return logits.float(), *(values.float() for values in features)

        logits, *features = self._halving(x, call)
        return logits, features

    def _halving(self, x: Tensor, call: Callable[[Tensor], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """What `call` gives for x, in parts of at most `limit` images, which is halved while memory runs out."""
        if len(x) <= self.limit:
            try:
                outputs = call(x)
                self.images += len(x)
                return outputs
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or len(x) == 1:
                    raise
            self.halve(len(x))
        parts = [self._halving(part, call) for part in x.split(self.limit)]
        return tuple(torch.cat(pieces) for pieces in zip(*parts, strict=True))

    def in_batches(self, call: Callable[[int], T]) -> tuple[T, float]:
        """The result of `call(batch_size)`, whose batch size is halved until it fits in memory, and the seconds it took.

        Args:
            call: works on any number of images, at most `batch_size` of them at a time; the attempts that did not fit
                are not in the seconds.

        Raises:
            torch.OutOfMemoryError: not even batches of one image fit.
        """
        while True:
            started = time.perf_counter()
            try:
                result = call(self.limit)
                if self.classifier.device.type == "cuda":
                    torch.cuda.synchronize(self.classifier.device)
                return result, time.perf_counter() - started
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or self.limit == 1:
                    raise
            self.halve(self.limit)

    def halve(self, size: int) -> None:
        """Limit forward passes to half of a batch that did not fit, and note it for the manifest."""
        self.halvings.append(size)
        self.limit = (size + 1) // 2
        log.warning("out of memory with %d images a forward: going on with %d", size, self.limit)
        if self.classifier.device.type == "cuda":
            torch.cuda.empty_cache()

    def classifier_logits(self, x: Tensor) -> Tensor:
        """(N, K) float32 logits of one batch, neither counted nor halved: the caller handles running out of memory."""
        with self.autocast():
            return self.classifier(self._laid_out(x)).float()

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """What holds during a forward pass in this precision."""
        if self.execution.precision != "bf16":
            return contextlib.nullcontext()
        return torch.autocast(self.classifier.device.type, torch.bfloat16)

    def _laid_out(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=self.execution.torch_format)

    def double(self, x: Tensor) -> Tensor:
        """(N, K) float64 logits of images, with the same weights in float64, on `double_device`; see `double_obstacle`."""
        return self.double_layer_features(x, [])[0]

    def double_layer_features(self, x: Tensor, layers: Sequence[str]) -> tuple[Tensor, list[Tensor]]:
        """(N, K) logits and (N, R) features of each layer in float64; see `double` and `Classifier.layer_features`."""
        double_classifier, device = self._double, self.double_device

        def call(part: Tensor) -> tuple[Tensor, ...]:
            with torch.no_grad():
                logits, features = double_classifier.layer_features(part.to(device).double().contiguous(), layers)
            return logits, *features

        parts = [self._halving(part, call) for part in x.split(max(1, self.limit // 2))]
        logits, *features = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
        return logits, features

    @cached_property
    def _double(self) -> Classifier:
        with torch.inference_mode(False):  # the copy must allow gradients as well
            double_copy = self.classifier.double_copy(self.double_device)
        return double_copy.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload,no-any-return]

    @cached_property
    def double_obstacle(self) -> str:
        """Why the network does not compute in float64; empty where it does (see `warned_obstacle`)."""
        return warned_obstacle(lambda: self._double, self.classifier.shape, self.double_device, self.classifier.name)


class DefendedInPrecision:
    """A defended classifier in the precision of its forwards, as attacks are given it (`advlab.attacks.defended.Defended`)."""

    def __init__(self, forward: Forward, defended: Any) -> None:
        self._forward, self._defended = forward, defended
        self.differentiable, self.random, self.rejects = defended.differentiable, defended.random, defended.rejects

    def __call__(self, x: Tensor) -> Tensor:
        """(N, K) float32 logits of one batch."""
        return self._forward.classifier_logits(x)

    def draw(self, x: Tensor, trial: int | Tensor = 0) -> Any:
        """See `Defended.draw`."""
        return self._defended.draw(x, trial)

    def logits(self, x: Tensor, draw: Any = None) -> Tensor:
        """See `Defended.logits`."""
        with self._forward.autocast():
            logits: Tensor = self._defended.logits(x, draw)
        return logits.float()
