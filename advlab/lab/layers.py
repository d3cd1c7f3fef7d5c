"""Which layers of the run's network a probe names."""

from __future__ import annotations

from advlab.errors import ModelError
from advlab.lab.context import Context


def probed_layers(ctx: Context) -> list[str]:
    """The layers that the probe names; `all` is every one in front of the classification layer.

    Raises:
        ModelError: there are none.
    """
    assert ctx.classifier is not None
    named: list[str] = ctx.settings.probe.layer
    if named != ["all"]:
        return named
    layers = ctx.classifier.layers()
    if not layers:
        raise ModelError(f"{ctx.classifier.name} has no layer in front of its classification layer")
    return layers
