"""A user's own network, registered by a plug-in, as parameters of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from advlab.data.content import Shape
from advlab.errors import MISTYPED, AdvlabError, ModelError, where_it_failed
from advlab.models.base import Model

if TYPE_CHECKING:  # loads torch, and models are listed and described without it
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class PluginModel(Model):
    """A user's own network, registered by a plug-in; its factory and options are not archived as text but by name."""

    build: Callable[[], Any] = field(repr=False)
    options: dict[str, Any] = field(default_factory=dict)
    declared_shape: Shape | Callable[[], Shape] | None = None
    declared_classes: int = 0
    declared_crop: float = 1.0
    trained: bool = True

    def archived(self) -> dict[str, Any]:
        """What is archived: the options of the user's factory, and the parameters common to all models."""
        common = ("checkpoint", "checkpoint_key", "sha256", "mean", "std", "allow")
        return {**self.options, **{name: getattr(self, name) for name in common}}

    @property
    def crop(self) -> float:
        """Share of the shorter side that its evaluation protocol keeps."""
        return self.declared_crop

    @property
    def trainable(self) -> bool:
        """Whether a recipe makes its weights."""
        return not self.trained

    @property
    def shape(self) -> Shape | None:
        """(C, H, W)."""
        return self.declared_shape() if callable(self.declared_shape) else self.declared_shape

    @property
    def class_count(self) -> int:
        """Number of logits; 0: found by a forward pass."""
        return self.declared_classes

    def network(self) -> nn.Module:
        """What the user's factory returns.

        Raises:
            ModelError: it is mistyped, or what it returns is no torch module.
        """
        from torch import nn  # describing a model must not wait for torch

        try:
            network = self.build()
        except AdvlabError:
            raise
        except MISTYPED as error:
            file = getattr(getattr(self.build, "func", self.build), "__code__", None)
            place = where_it_failed(error, file.co_filename if file else "")
            raise ModelError(f"the plug-in's factory of networks failed: {place}: mend it") from error
        if not isinstance(network, nn.Module):
            raise ModelError(
                f"the plug-in's factory must return a torch.nn.Module, it returned {type(network).__name__}: {no_network(network)}"
            )
        return network


def no_network(value: object) -> str:
    """What is wrong with something that was given for a network and is no module, and what to give.

    >>> no_network(int), no_network(len)
    ('int is a class: call it, int()', 'len is no torch.nn.Module: put it into the forward of one')
    """
    if isinstance(value, type):
        return f"{value.__name__} is a class: call it, {value.__name__}()"
    name = getattr(value, "__name__", "")
    if callable(value):
        return f"{name or f'this {type(value).__name__}'} is no torch.nn.Module: put it into the forward of one"
    if isinstance(value, Mapping):
        return "a mapping of weights is no network: build the network, and load them by its load_state_dict"
    return f"{type(value).__name__} is no network: give a torch.nn.Module from images in [0, 1] to logits"
