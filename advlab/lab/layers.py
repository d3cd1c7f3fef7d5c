"""Which layers of the run's network a probe names."""

from __future__ import annotations

from advlab.errors import ModelError
from advlab.lab.network_context import NetworkContext


def probed_layers(ctx: NetworkContext) -> list[str]:
    """The layers that the probe names; `all` is every one in front of the classification layer.

    Raises:
        ModelError: there are none.
    """
    layer_names: list[str] = ctx.settings.probe.layer
    if layer_names != ["all"]:
        return layer_names
    all_layers = ctx.classifier.layers()
    if not all_layers:
        raise ModelError(f"{ctx.classifier.name} has no layer in front of its classification layer")
    return all_layers
