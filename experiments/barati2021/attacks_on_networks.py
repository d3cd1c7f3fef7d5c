"""What attacks do to each network of figure 5 of barati2021: the paper's one step, noise of its length, and PGD."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from advlab.lab.context import Context
    from advlab.models.forward import Forward

CHUNK = 500  # images of one draw of noise
Counts = dict[
    tuple[str, str, float], tuple[int, int, float]
]  # (victim, attack, epsilon): images, correct, sum of norms


def one_step(ctx: Context, source: str, networks: dict[str, Forward], counts: Counts) -> None:
    """x + epsilon grad / ||grad|| by the source's gradients on every network, and noise of that length on the source.

    Args:
        ctx: of a run of `hard_point_training`.
        source: the network whose gradients are taken.
        networks: the victims, the source among them.
        counts: is added to.
    """
    import torch

    from advlab.attacks.ascent.normalised_steps import unit

    assert ctx.data is not None
    params, data, samples = ctx.settings.experiment.params, ctx.data, ctx.prepared["samples"]
    for start in range(0, len(samples), CHUNK):
        index = torch.tensor(samples[start : start + CHUNK])
        x, labels = data.images(index), data.labels[index.to(data.device)]
        ascents = steepest(ctx, networks[source], x, labels)
        generator = torch.Generator().manual_seed((ctx.settings.run.seed + start * 1_000_003) % 2**63)
        noise = unit(torch.randn(x.shape, generator=generator).to(x.device))
        for epsilon in params.epsilons:
            for attack, step in (("one_step", ascents), ("noise", noise)):
                moved = x + epsilon * step
                moved = moved.clamp_(0, 1) if params.clip else moved
                for victim in networks if attack == "one_step" else [source]:
                    count(counts, (victim, attack, epsilon), networks[victim], x, moved, labels)


def in_the_box(ctx: Context, source: str, forward: Forward, counts: Counts) -> None:
    """Projected gradient ascent on the first images, and the one step clipped to [0, 1] on the same: both direct."""
    import torch

    from advlab.attacks.ascent.pgd.params import PGD

    assert ctx.data is not None
    params = ctx.settings.experiment.params
    index = torch.tensor(ctx.prepared["samples"][: params.pgd_images], dtype=torch.int64)
    x, labels = ctx.data.images(index), ctx.data.labels[index.to(ctx.data.device)]
    ascents = steepest(ctx, forward, x, labels) if len(x) else x
    for epsilon in params.epsilons if len(x) else []:
        attack = PGD(norm="l2", epsilon=epsilon, steps=params.pgd_steps, step=2.5 / params.pgd_steps)
        result = attack(forward.classifier_logits, x, labels, batch_size=forward.limit)
        ctx.count(forwards=result.forwards, backwards=result.backwards, images=len(x))
        count(counts, (source, "pgd", epsilon), forward, x, result.adv, labels)
        once = (x + epsilon * ascents).clamp_(0, 1)
        count(counts, (source, "one_step_clipped", epsilon), forward, x, once, labels)


def steepest(ctx: Context, forward: Forward, x: Tensor, labels: Tensor) -> Tensor:
    """(n, C, H, W) gradients of the labels' loss, each of L2 norm 1, in the run's batches; counted."""
    import torch

    from advlab.attacks.ascent.normalised_steps import normalised_gradient
    from advlab.metrics.objectives import cross_entropy

    def gradients(x: Tensor, labels: Tensor) -> Tensor:
        return normalised_gradient(lambda z: cross_entropy(forward.classifier_logits(z), labels), x)

    ctx.count(forwards=len(x), backwards=len(x))
    pieces = zip(x.split(forward.limit), labels.split(forward.limit), strict=True)
    return torch.cat([gradients(*piece) for piece in pieces])


def count(
    counts: Counts, key: tuple[str, str, float], forward: Forward, x: Tensor, moved: Tensor, labels: Tensor
) -> None:
    """Add what a network makes of moved images."""
    import torch

    with torch.no_grad():
        right = int((forward(moved).argmax(1) == labels).sum())
    images, correct, length = counts.get(key, (0, 0, 0.0))
    counts[key] = images + len(x), correct + right, length + float((moved - x).flatten(1).norm(dim=1).sum())
