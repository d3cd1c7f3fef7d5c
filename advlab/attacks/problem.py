"""What an algorithm is handed: images to attack, and logits and gradients of the network in counted batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

Model = Callable[[Tensor], Tensor]

ROUNDING = 32.0  # units of the logits' rounding


def memory_format(model: Model) -> torch.memory_format:
    """The format of the model's convolutions, which its input is brought into."""
    if isinstance(model, nn.Module):
        for parameter in model.parameters():
            if parameter.ndim == 4 and not parameter.is_contiguous():
                return torch.channels_last
    return torch.contiguous_format


class Linearisation:
    """Logits at some images, and as many vector-Jacobian products as are asked for, from one forward.

    Attributes:
        logits: (n, K), detached.
    """

    def __init__(self, problem: Problem, x: Tensor) -> None:
        self._problem = problem
        with torch.enable_grad():
            self._x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
            self._out = problem.call(self._x)
        if not self._out.requires_grad:
            raise ValueError(
                "the model's logits have no gradient with respect to the images: it must be differentiable, and call "
                "neither detach nor torch.no_grad"
            )
        self.logits = self._out.detach()

    def vjp(self, cotangent: Tensor, *, last: bool = False) -> Tensor:
        """(n, C, H, W) gradients of sum_k cotangent[i, k] logits[i, k] with respect to image i.

        Args:
            cotangent: (n, K).
            last: no further product will be asked for; frees the graph.
        """
        self._problem.backwards += len(self._x)
        (gradient,) = torch.autograd.grad(self._out, self._x, cotangent, retain_graph=not last)
        return gradient


@dataclass
class Problem:
    """The eligible images of one call; `model` is in evaluation mode and its parameters take no gradients.

    Attributes:
        model: images (n, C, H, W) in the units of `bounds` to logits (n, K).
        x: (N, C, H, W) float, inside `bounds`.
        labels: (N,) int64 reference classes, which are the predictions at `x`.
        targets: (N,) int64 classes to reach, or None: any other class will do.
        logits: (N, K) at `x`.
        bounds: lowest and highest pixel value.
        batch_size: images a forward, at most.
        slopes: (N, C, H, W) gradients at `x` of what the attack's `cotangent` names, if it names anything.
        forwards, backwards: images so far.
    """

    model: Model
    x: Tensor
    labels: Tensor
    targets: Tensor | None
    logits: Tensor
    bounds: tuple[float, float]
    batch_size: int
    format: torch.memory_format = torch.contiguous_format
    slopes: Tensor | None = None
    forwards: int = 0
    backwards: int = 0
    data: dict[str, Tensor] = field(default_factory=dict)  # what some attacks take besides: `basis`, `held_out`

    @property
    def extent(self) -> float:
        """Length of `bounds`: the unit of every epsilon, step and norm among the hyperparameters."""
        return self.bounds[1] - self.bounds[0]

    @property
    def classes(self) -> int:
        """K."""
        return self.logits.shape[1]

    def __len__(self) -> int:
        return len(self.x)

    def call(self, x: Tensor) -> Tensor:
        """(n, K) logits of one batch with the graph of the caller's mode; counted.

        Raises:
            ValueError: the model gives something else than logits.
        """
        self.forwards += len(x)
        return as_logits(self.model(x.contiguous(memory_format=self.format)), len(x))

    def forward(self, x: Tensor) -> Tensor:
        """(n, K) logits without a graph, in batches; `x` (n, C, H, W) may be longer than a batch."""
        with torch.inference_mode():
            if len(x) <= self.batch_size:
                return self.call(x).clone() if len(x) else x.new_empty(0, self.classes)
            return torch.cat([self.call(part) for part in x.split(self.batch_size)])

    def linearise(self, x: Tensor) -> Linearisation:
        """Logits and vector-Jacobian products at one batch of images, of at most `batch_size`."""
        return Linearisation(self, x)

    def gradient(self, x: Tensor, cotangent: Callable[[Tensor, slice], Tensor]) -> tuple[Tensor, Tensor]:
        """Logits (n, K) and gradients (n, C, H, W) of cotangent . logits, one product an image, in batches.

        Args:
            x: (n, C, H, W).
            cotangent: gives (b, K) from the detached logits (b, K) of a batch and the batch's slice of `x`.
        """
        logits, gradients = [], []
        for start in range(0, len(x), self.batch_size):
            rows = slice(start, min(start + self.batch_size, len(x)))
            at = self.linearise(x[rows])
            logits.append(at.logits)
            gradients.append(at.vjp(cotangent(at.logits, rows), last=True))
        if not logits:
            return x.new_empty(0, self.classes), torch.empty_like(x)
        return torch.cat(logits), torch.cat(gradients)

    def flipped(self, logits: Tensor, index: Tensor | slice = slice(None)) -> Tensor:
        """(n,) bool: which logits, of the images `index`, are those of an adversarial image in any batch."""
        targets = None if self.targets is None else self.targets[index]
        return margin(logits, self.labels[index], targets) > rounding(logits)


def as_logits(output: object, n: int) -> Tensor:
    """What a model gives for n images, as logits (n, K).

    Raises:
        ValueError: says what it gives instead.
    """
    if not isinstance(output, Tensor):
        raise ValueError(
            f"the model must give logits, a tensor of shape (N, classes), it gives a {type(output).__name__}"
        )
    if output.ndim != 2 or len(output) != n or output.shape[1] < 2:
        raise ValueError(
            f"the model must give logits of shape (N, classes), it gives {tuple(output.shape)} for {n} images"
        )
    return output


def rounding(logits: Tensor) -> Tensor:
    """(n,) a margin that is smaller than this may have the other sign in another batch; NaN where a logit is not finite."""
    threshold = logits.abs().amax(1) * (ROUNDING * torch.finfo(logits.dtype).eps)
    return torch.where(torch.isfinite(logits).all(1), threshold, torch.nan)


def margin(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """(n,) by how much an attack has succeeded; above 0: it has.

    Untargeted: the largest logit of another class less the label's. Targeted: the target's logit less the largest of
    another class. A tie is no success. NaN or infinite logits give -inf.
    """
    wanted = (labels if targets is None else targets)[:, None]
    own = logits.gather(1, wanted)[:, 0]
    others = logits.scatter(1, wanted, -torch.inf).amax(1)
    value = others - own if targets is None else own - others
    return torch.where(torch.isfinite(logits).all(1), value, -torch.inf)


def cross_entropy_cotangent(logits: Tensor, labels: Tensor) -> Tensor:
    """(n, K) gradient of the cross-entropy with respect to the logits: softmax - one-hot."""
    cotangent = torch.softmax(logits, 1)
    return cotangent.scatter_add_(1, labels[:, None], -torch.ones_like(cotangent[:, :1]))


def lengths(v: Tensor, norm: str) -> Tensor:
    """(n,) norms of (n, ...) tensors: "l1", "l2" or "linf"."""
    order = {"l1": 1.0, "l2": 2.0, "linf": float("inf")}[norm]
    return torch.linalg.vector_norm(v.flatten(1), ord=order, dim=1)


__all__ = [
    "Linearisation", "Model", "Problem", "as_logits", "cross_entropy_cotangent", "lengths", "margin", "memory_format"
]  # fmt: skip
