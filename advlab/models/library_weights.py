"""The published weights of other libraries' networks: which module reads those of which library."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from advlab.models import robustbench_weights, timm_weights
from advlab.models.library_model import LibraryModel
from advlab.models.robustbench_networks import Robustbench
from advlab.models.timm_networks import Timm

State = dict[str, Tensor]


def library_state(model: LibraryModel, download: bool) -> tuple[State, str]:
    """The published weights with the network's names, and where they come from.

    Raises:
        ModelError: they are missing and cannot be fetched, or damaged; the message says what belongs where.
    """
    if isinstance(model, Timm):
        return timm_weights.published_state(model, download)
    assert isinstance(model, Robustbench)
    return robustbench_weights.published_state(model, download)


def converted(model: LibraryModel, content: dict[Any, Any]) -> State:
    """The network's tensors from the content of a file of weights as the library's authors have published it.

    Raises:
        ModelError: they do not fit.
    """
    if isinstance(model, Timm):
        return timm_weights.converted(model, content)
    assert isinstance(model, Robustbench)
    return robustbench_weights.converted(model, content)
