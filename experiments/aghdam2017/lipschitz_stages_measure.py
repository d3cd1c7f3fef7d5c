"""What is made once for all samples of figure 6: the ranges of pixels and features, and the ascents of the Jacobian's norm."""

from __future__ import annotations

from functools import partial

from advlab.lab import Cost, NetworkContext, Stage
from advlab.lab.layers import probed_layers

from .ascent_measure import ascended_norms, ascent_cost
from .elementwise_measure import element_ranges


def lipschitz_stages(ctx: NetworkContext, *, elementwise: bool, images: int, starts: int, steps: int) -> list[Stage]:
    """The stages of a run, by the parameters of `Lipschitz` with these names."""
    layers, seed, samples = probed_layers(ctx), ctx.settings.run.seed, ctx.prepared["samples"]
    made = []
    if elementwise:
        count = min(images, len(ctx.data))
        key = ctx.key(version=1, seed=seed, count=count, layers=layers)
        make = partial(element_ranges, ctx, layers, count)
        made.append(Stage("element-ranges", key, make, Cost(forwards=count), kind="element_ranges"))
    for depth, layer in enumerate(layers if starts else []):
        key = ctx.key(version=1, seed=seed, layer=layer, samples=samples, starts=starts, steps=steps)
        ascend = partial(ascended_norms, ctx, layer, starts=starts, steps=steps)
        cost = ascent_cost(len(samples), starts=starts, steps=steps)
        made.append(Stage(f"ascent-{depth}", key, ascend, cost, kind="jacobian_ascent"))
    return made
