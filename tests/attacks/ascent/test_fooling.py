"""Fooling images: the step rule in closed form and against a plain loop, levels of one ascent, causes of failure.

Longer than other files: one ascent, whose step, levels and ends are all seen against the same plain loop.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks.ascent.fooling.algorithm import fooling_levels, random_starts
from advlab.attacks.ascent.fooling.params import Fooling
from advlab.attacks.status import Status

Images = tuple[Tensor, Tensor, Tensor]  # starts, labels (not used), targets


class Sigmoid(nn.Module):
    """Logits (scale sum(x) + bias, 0): the probability of class 0 is the sigmoid of their difference."""

    def __init__(self, scale: float = 5.0, bias: float = 0.0) -> None:
        super().__init__()
        self.scale, self.bias = scale, bias

    def forward(self, x: Tensor) -> Tensor:
        z = self.scale * x.flatten(1).sum(1) + self.bias
        return torch.stack([z, torch.zeros_like(z)], 1)


def network(shape: tuple[int, int, int] = (3, 5, 7), classes: int = 4) -> nn.Module:
    torch.manual_seed(3)
    size = math.prod(shape)
    net = nn.Sequential(nn.Flatten(), nn.Linear(size, 32), nn.Tanh(), nn.Linear(32, classes)).double()
    with torch.no_grad():
        for name, values in net.named_parameters():
            if name.endswith("weight"):
                values.mul_(3)
    return net


def problems(n: int = 6, shape: tuple[int, int, int] = (3, 5, 7), classes: int = 4) -> Images:
    x = random_starts(n, shape, seed=1).double()
    targets = torch.arange(n) % classes
    return x, targets.clone(), targets


def plain(model: nn.Module, x: Tensor, target: int, attack: Fooling, grey: float) -> tuple[Tensor, int, float]:
    """The rule as it is cited, one image at a time in grey levels 0..255, on the probability itself."""
    image, step, p = x * grey, 0, 0.0
    for step in range(attack.max_iter + 1):
        at = image.clone().requires_grad_()
        probability = torch.softmax(model(at[None] / grey), 1)[0, target]
        p = float(probability.detach())
        if p >= attack.level or step == attack.max_iter:
            break
        (g,) = torch.autograd.grad(probability, at)
        progress = min(attack.early, attack.late * (1 - p))
        rate = min(attack.max_lr, progress / float((g * g).sum()))
        image = (image + rate * g).clamp(0, 255)
    return image / grey, step, p


@pytest.mark.parametrize("max_lr", [1e12, 3e3], ids=["progress", "capped"])
def test_on_a_linear_model_the_logit_follows_its_recursion(max_lr: float) -> None:
    attack = Fooling(level=0.9, max_lr=max_lr)
    x = torch.full((1, 1, 4, 4), 0.5, dtype=torch.float64)
    model = Sigmoid(bias=-40 - 1.5)
    result = attack(model, x, torch.tensor([0]), targets=torch.tensor([0]))
    z, steps, square = -1.5, 0, 16 * (5 / 255) ** 2
    while (p := 1 / (1 + math.exp(-z))) < 0.9:
        wanted = min(0.03, 0.1 * (1 - p))
        z += min(max_lr * p * (1 - p) * square, wanted / (p * (1 - p)))
        steps += 1
    assert steps > 10
    assert result.steps.tolist() == [steps]
    assert result.success.tolist() == [True]
    torch.testing.assert_close(result.adv, x + (z + 1.5) / 80)


@pytest.mark.parametrize("max_lr", [1e12, 2e4], ids=["progress", "capped"])
def test_it_is_the_cited_loop(max_lr: float) -> None:
    model, (x, y, t) = network(), problems()
    attack = Fooling(level=0.95, max_iter=400, max_lr=max_lr)
    result = attack(model, x, y, targets=t)
    for i in range(len(x)):
        image, steps, p = plain(model, x[i], int(t[i]), attack, 255.0)
        assert result.steps[i] == steps
        assert bool(result.success[i]) == (p >= 0.95)
        torch.testing.assert_close(result.adv[i], image, rtol=0, atol=1e-8)
    assert bool(((result.adv == 0) | (result.adv == 1)).any()), "no pixel is at the bounds: clipping is not tested"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_success_is_a_probability_at_the_level_inside_the_bounds(level: float, dtype: torch.dtype) -> None:
    model, (x, y, t) = network().to(dtype), problems(12)
    result = Fooling(level=level)(model, x.to(dtype), y, targets=t, batch_size=5)
    p = torch.softmax(model(result.adv), 1).gather(1, t[:, None])[:, 0]
    assert result.success.all()
    assert bool((p >= level).all())
    assert float(p.detach().max()) < 1 - 0.5 * (1 - level)  # and not far above: steps shrink towards 1
    assert 0 <= float(result.adv.min()) <= float(result.adv.max()) <= 1
    assert result.adv.dtype == dtype


def test_a_step_raises_the_probability_by_what_the_rule_aims_at() -> None:
    model, (x, y, t) = network(), problems()
    x = 0.25 + x / 2  # away from the bounds
    before = torch.softmax(model(x), 1).gather(1, t[:, None])[:, 0].detach()
    attack = Fooling(level=0.999, max_iter=20, early=1e-5, late=1e-5)
    result = attack(model, x, y, targets=t)
    after = torch.softmax(model(result.adv), 1).gather(1, t[:, None])[:, 0].detach()
    torch.testing.assert_close((after - before) / (20 * 1e-5 * (1 - before)), torch.ones(6).double(), rtol=0.02, atol=0)
    assert (result.status == Status.MAX_ITER).all()
    assert result.steps.tolist() == [20] * 6


def test_a_failure_returns_the_most_probable_image_of_its_ascent() -> None:
    model, (x, y, t) = network(), problems(8)
    attack = Fooling(level=0.9999, max_iter=15, early=0.5, late=5.0)  # leaps that overshoot
    result = attack(model, x, y, targets=t)
    visited = [torch.softmax(model(x), 1).gather(1, t[:, None])[:, 0].tolist()]
    for steps in range(1, 16):  # the last image of each number of steps: together they are the ascent
        shorter = replace(attack, max_iter=steps)
        visited.append([plain(model, x[i], int(t[i]), shorter, 255.0)[2] for i in range(8)])
    highest = torch.tensor(visited).amax(0)
    reached = torch.softmax(model(result.adv), 1).gather(1, t[:, None])[:, 0].detach()
    failed = ~result.success
    assert bool(failed.any())
    torch.testing.assert_close(reached[failed], highest.double()[failed], rtol=1e-6, atol=1e-9)


def test_levels_of_one_ascent_are_what_separate_calls_give() -> None:
    model, (x, y, t) = network(), problems(8)
    t = (t + 1) % 4
    attack = Fooling(max_iter=45)
    levels = fooling_levels(attack, model, x, t, levels=[0.99, 0.5, 0.9], batch_size=3)
    assert list(levels) == [0.5, 0.9, 0.99]
    for level, result in levels.items():
        alone = Fooling(level=level, max_iter=45)(model, x, y, targets=t)
        assert torch.equal(result.steps, alone.steps)
        assert torch.equal(result.status, alone.status)
        torch.testing.assert_close(result.adv, alone.adv, rtol=0, atol=1e-8)
    assert levels[0.5].success.all()
    assert not levels[0.99].success.all(), "no failure: its images are not compared"
    assert bool((levels[0.5].steps <= levels[0.9].steps).all())


def test_a_start_with_logits_that_are_not_finite_is_named_at_every_level() -> None:
    model, (x, _, t) = network(), problems(3)
    x[1] = 0.0

    def broken(z: torch.Tensor) -> torch.Tensor:
        return model(z) + torch.where(z.flatten(1).abs().sum(1) == 0, torch.nan, 0.0)[:, None]

    for result in fooling_levels(Fooling(), broken, x, t, levels=[0.5, 0.9]).values():
        assert (result.status == Status.NONFINITE).tolist() == [False, True, False]
        assert result.success.tolist() == [True, False, True]
        assert torch.equal(result.adv[1], x[1])


def test_a_step_that_leaps_over_levels_is_shortened_to_each_of_them() -> None:
    model = Sigmoid(bias=-40 - 3.0)
    x = torch.full((1, 1, 4, 4), 0.5, dtype=torch.float64)
    attack, zero = Fooling(early=0.9, late=0.9), torch.tensor([0])
    levels = fooling_levels(attack, model, x, zero, levels=[0.5, 0.7, 0.9])
    whole = fooling_levels(replace(attack, width=1.0), model, x, zero, levels=[0.5])[0.5]
    assert whole.steps.tolist() == [1]
    assert float(model(whole.adv).softmax(1)[0, 0]) > 0.95
    for level, result in levels.items():
        assert result.steps.tolist() == [1]
        assert level <= float(model(result.adv).softmax(1)[0, 0]) <= level + 0.02
        assert len(result.adv.unique()) == 1, "not on the step, whose pixels all move by the same"
        assert 0.5 < float(result.adv.max()) < float(whole.adv.max())
    alone = replace(attack, level=0.7)(model, x, zero, targets=zero)
    torch.testing.assert_close(alone.adv, levels[0.7].adv)


@pytest.mark.parametrize("width", [0.02, 0.001])
def test_a_probability_that_leaps_ends_at_its_level_on_every_image(width: float) -> None:
    model, (x, _, t) = network(), problems(12)
    attack = Fooling(early=30.0, late=100.0, max_iter=200, width=width)
    for level, result in fooling_levels(attack, model, x, (t + 1) % 4, levels=[0.5, 0.9], batch_size=5).items():
        p = torch.softmax(model(result.adv), 1).gather(1, ((t + 1) % 4)[:, None])[:, 0].detach()
        moved = result.success & (result.steps > 0)
        assert int(moved.sum()) >= 8
        assert bool((p[moved] >= level).all())
        assert bool((p[moved] <= level + width).all())
        assert 0 <= float(result.adv.min()) <= float(result.adv.max()) <= 1


def test_a_jump_of_the_probability_keeps_the_lowest_point_beyond_it() -> None:
    def jumping(images: Tensor) -> Tensor:
        z = Sigmoid(bias=-40 - 3.0)(images)[:, 0]
        return torch.stack([torch.where(z > -1.0, z + 4.0, z), torch.zeros_like(z)], 1)

    x, zero = torch.full((1, 1, 4, 4), 0.5, dtype=torch.float64), torch.tensor([0])
    result = Fooling(level=0.5, early=0.9, late=0.9)(jumping, x, zero, targets=zero)
    assert result.success.tolist() == [True]
    assert float(result.adv.max()) == pytest.approx(0.5 + 2.0 / 80, abs=1e-9)  # the logit is -1 there: the jump


def test_an_image_does_not_depend_on_the_others() -> None:
    model, (x, y, t) = network(), problems(7)
    attack = Fooling(level=0.95)
    whole = attack(model, x, y, targets=t)
    for order, size in ((torch.arange(7), 1), (torch.tensor([3, 1, 6, 0, 2, 5, 4]), 3)):
        part = attack(model, x[order], y[order], targets=t[order], batch_size=size)
        torch.testing.assert_close(part.adv, whole.adv[order], rtol=0, atol=1e-8)
        assert torch.equal(part.steps, whole.steps[order])


def test_one_start_goes_to_several_targets() -> None:
    model, (x, _, _) = network(), problems(1)
    t = torch.arange(4)
    result = Fooling(level=0.9)(model, x.expand(4, -1, -1, -1), t, targets=t)
    assert result.success.all()
    assert result.prediction.tolist() == [0, 1, 2, 3]


def test_the_pixel_unit_does_not_matter() -> None:
    model, (x, y, t) = network(), problems()
    attack = Fooling(level=0.95, max_lr=2e4)
    unit = attack(model, x, y, targets=t)
    grey = attack(lambda images: model(images / 255), 255 * x, y, targets=t, bounds=(0, 255))
    centred = attack(lambda images: model((images + 1) / 2), 2 * x - 1, y, targets=t, bounds=(-1, 1))
    assert unit.success.any()
    assert torch.equal(unit.steps, grey.steps)
    torch.testing.assert_close(grey.adv / 255, unit.adv, rtol=0, atol=1e-8)
    torch.testing.assert_close((centred.adv + 1) / 2, unit.adv, rtol=0, atol=1e-8)
    torch.testing.assert_close(grey.distance, unit.distance)


def test_a_start_at_the_level_is_returned_as_it_is_and_one_below_it_is_raised() -> None:
    x = torch.full((2, 1, 4, 4), 0.5, dtype=torch.float64)
    x[1] += 0.1  # logit 1 + 8
    attack = Fooling(level=0.99)
    zero = torch.zeros(2, dtype=torch.int64)
    result = attack(Sigmoid(bias=-40 + 1.0), x, zero, targets=zero)
    assert result.success.all()
    assert result.steps[1] == 0
    assert torch.equal(result.adv[1], x[1])
    assert result.steps[0] > 0, "its class is the target, its probability is not at the level"


@pytest.mark.parametrize(
    ("model", "start", "status"),
    [
        (Sigmoid(scale=0.0), 0.5, Status.ZERO_GRADIENT),
        (Sigmoid(bias=-500.0), 0.5, Status.ZERO_GRADIENT),  # the probability, e^-460, is 0 in float32
        (Sigmoid(bias=-90.0), 1.0, Status.NO_FLIP_AT_SATURATION),
        (lambda x: Sigmoid()(x.sqrt()) - torch.tensor([40.0, 0.0]), 0.0, Status.NONFINITE),
    ],
    ids=["flat", "underflow", "saturated", "infinite slope"],
)
def test_why_an_ascent_ends_without_success(model: nn.Module, start: float, status: Status) -> None:
    x = torch.full((2, 1, 4, 4), start)
    zero = torch.zeros(2, dtype=torch.int64)
    result = Fooling(max_iter=50)(model, x, zero, targets=zero)
    assert result.status.tolist() == [status] * 2
    assert torch.equal(result.adv, x)
    assert result.steps.tolist() == [0, 0]
    assert result.forwards == 6, "what cannot move leaves the batch: a look before, one step, a look after"


def test_a_probability_that_underflows_is_climbed_where_the_step_has_no_limit() -> None:
    x = torch.full((1, 1, 4, 4), 0.5)
    zero = torch.zeros(1, dtype=torch.int64)
    result = Fooling(max_lr=math.inf)(Sigmoid(scale=100, bias=-800 - 200.0), x, zero, targets=zero)
    assert result.success.all()


def test_finished_images_leave_the_batch() -> None:
    model, (x, y, t) = network(), problems(9)
    result = Fooling(level=0.9)(model, x, y, targets=t, batch_size=4)
    assert result.success.all()
    assert len(set(result.steps.tolist())) > 3
    looks = int(result.steps.sum()) + len(x)
    assert result.forwards == looks + 2 * len(x)
    assert result.backwards == looks


@pytest.mark.parametrize("shape", [(1, 12, 9), (4, 5, 7)])
def test_empty_batches_and_other_shapes(shape: tuple[int, int, int]) -> None:
    model = network(shape)
    x, y, t = problems(3, shape)
    assert Fooling(level=0.8)(model, x, y, targets=t).success.all()
    empty = fooling_levels(Fooling(), model, x[:0], t[:0])
    assert all(len(result.adv) == 0 for result in empty.values())


def test_bad_input_is_refused() -> None:
    model, (x, y, t) = network(), problems()
    with pytest.raises(ValueError, match="needs targets"):
        Fooling()(model, x, y)
    with pytest.raises(ValueError, match="levels is empty"):
        fooling_levels(Fooling(), model, x, t, levels=[])
    with pytest.raises(ValueError, match="level must be above 0 and below 1"):
        fooling_levels(Fooling(), model, x, t, levels=[0.5, 1.0])
    with pytest.raises(ValueError, match="targets hold the class 9"):
        fooling_levels(Fooling(), model, x, t + 9 - t)


def test_random_starts_are_whole_grey_levels_of_seed_and_index_alone() -> None:
    starts = random_starts(200, (3, 8, 8), seed=5)
    assert starts.shape == (200, 3, 8, 8)
    assert starts.dtype == torch.float32
    levels = starts.double() * 255
    assert float((levels - levels.round()).abs().max()) < 1e-4
    counts = torch.bincount(levels.round().long().flatten(), minlength=256).double()
    assert len(counts) == 256
    expected = starts.numel() / 256
    assert float(((counts - expected) ** 2 / expected).sum()) < 255 + 5 * math.sqrt(2 * 255)  # chi square, 5 sigma
    assert torch.equal(random_starts(3, (3, 8, 8), seed=5), starts[:3])
    assert not torch.equal(random_starts(3, (3, 8, 8), seed=6), starts[:3])
    assert len({tuple(image.flatten().tolist()) for image in starts}) == 200
    assert random_starts(0, (1, 2, 2)).shape == (0, 1, 2, 2)
