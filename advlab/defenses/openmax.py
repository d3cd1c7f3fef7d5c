"""OpenMax, and rejection by its Weibull tails alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Lt

from advlab.defenses.base import Bounds, Defense
from advlab.errors import ArgumentError

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.data.images import ImageData
    from advlab.defenses.transforms.stage import Stage


@dataclass(frozen=True, kw_only=True)
class OpenMax(Defense):
    """An open set network (gunther2017, section 2.3; Bendale and Boult 2016): one more output says that an image is unknown.

    It is fitted on the training images, as the network classifies them without any defense. In a list it comes last, and sees
    the features of the images that the defenses before it have changed: `defense=[blur,openmax]`. Its outputs are revised
    logits whose softmax is OpenMax's probabilities; they are differentiable, so that an attack through it knows them.

    Attributes:
        layer: whose output the mean activations are of, flattened; "auto": the input of the classification layer, which in
            LeNet is ip1 after its ReLU, as in the paper.
        tail_size: largest distances of a class to which its Weibull distribution is fitted; all, where a class has fewer.
        alpha: how many of the largest logits are revised.
        distance: to the mean activations: cosine, euclidean, or eucos: cosine + euclidean / 200, as in OSDN's code.
        weighting: of the class of rank i: osdn: (alpha + 1 - i) / alpha, as in OSDN's code; cvpr: (alpha - i) / alpha, as in
            the paper of 2016.
        translation: T, added to the distances of a tail: 1 in libMR of 2017, 10000 in OSDN's.
        tail_of: all training images, as section 2.3 says, or those that are classified correctly, as in OSDN's code.
        offset: added to all logits, to which OpenMax is not invariant.
        decision: openmax: probabilities recomputed; reject: the network's own class, or a rejection.
        reject_at: with decision=reject: probability by the largest logit's class from which the image is rejected.
    """

    rejects = True
    layer: str = "auto"
    tail_size: Annotated[int, Ge(2)] = 200
    alpha: Annotated[int, Ge(1)] = 2
    distance: Literal["cosine", "euclidean", "eucos"] = "cosine"
    weighting: Literal["osdn", "cvpr"] = "osdn"
    translation: Annotated[float, Gt(0)] = 1.0
    tail_of: Literal["all", "correct"] = "all"
    offset: float = 0.0
    decision: Literal["openmax", "reject"] = "openmax"
    reject_at: Annotated[float, Gt(0), Lt(1)] = 0.5

    @property
    def label(self) -> str:
        """As it is typed."""
        return "openmax"

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`.

        Raises:
            ArgumentError: it was not fitted.
        """
        from advlab.defenses.transforms.open_set import OpenMaxStage, open_set_model  # loads torch

        if not fitted:
            raise ArgumentError("openmax must be fitted first: defense(network, fitted=defense.fit(images, network))")
        model = open_set_model(fitted, self.distance, self.translation)
        return [OpenMaxStage(model, layer=self.layer, revise=self.revision())]

    def revision(self) -> Callable[[Tensor, Tensor], Tensor]:
        """From logits (n, C) and w (n, C) to logits (n, C + 1), see `advlab.open_set.openmax`."""
        from advlab.open_set.openmax import openmax_logits, rejection_logits  # loads torch

        if self.decision == "reject":
            return partial(rejection_logits, reject_at=self.reject_at)
        return partial(openmax_logits, alpha=self.alpha, weighting=self.weighting, offset=self.offset)

    @property
    def needs_fit(self) -> bool:
        """It does."""
        return True

    def fit(self, images: ImageData, classifier: Callable[[Tensor], Tensor]) -> dict[str, Tensor] | None:
        """`means` (C, R) and `smallest`, `shape` and `log_ratio` (C,) of the Weibull tails.

        Raises:
            ArgumentError: a class has no image that is classified correctly, or its distances do not differ.
            ModelError: there is no such layer.
        """
        from advlab.defenses.transforms.open_set import fitted_tensors  # loads torch

        return fitted_tensors(
            images, classifier, layer=self.layer, tail_size=self.tail_size, distance=self.distance,
            translation=self.translation, tail_of=self.tail_of,
        )  # fmt: skip
