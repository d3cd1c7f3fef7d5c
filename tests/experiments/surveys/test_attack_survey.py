"""The survey of attacks against closed forms on linear networks.

Longer than other files: a third of it is an attack and networks whose answers are known in closed form.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from advlab import testing
from advlab.attacks import Attack
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status
from advlab.config import components
from advlab.config.settings import Settings, resolve
from advlab.data.images import ImageData, tensor_digest
from advlab.errors import ConfigError
from advlab.lab import NetworkContext
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from advlab.plugins.loading import load_plugins

Survey = components.REGISTRIES["experiment"].load("attack_survey")
SHAPE = (1, 6, 6)
COUNT = 40


def straight(problem: Any, attack: Any) -> AlgorithmResult:
    """The nearest point across the boundary of a linear network with two classes, a little beyond; one gradient each."""
    x = problem.x
    sign = torch.where(problem.labels == 0, 1.0, -1.0)[:, None]
    cotangent = lambda z, rows: torch.cat([sign[rows], -sign[rows]], 1)  # noqa: E731
    logits, gradient = problem.gradient(x, cotangent)
    gap = (logits[:, 0] - logits[:, 1]) * sign[:, 0]
    square = gradient.flatten(1).square().sum(1)
    step = (1 + attack.beyond) * (gap / square)[:, None, None, None] * gradient
    far = step.flatten(1).norm(dim=1) > attack.farthest
    adv = torch.where(far[:, None, None, None], x, x - step)
    status = torch.where(far, int(Status.MAX_ITER), int(Status.SUCCESS))
    return AlgorithmResult(adv, status, torch.ones_like(status))


@dataclass(frozen=True, kw_only=True)
class Straight(Attack):
    """An attack whose perturbation is known in closed form."""

    targeted: ClassVar[Any] = "optional"
    beyond: float = 1e-3
    farthest: float = 1e9

    def run(self, problem: Problem) -> AlgorithmResult:
        """Go straight to the boundary."""
        return straight(problem, self)


@dataclass(frozen=True, kw_only=True)
class Untargeted(Straight):
    """The same without targets."""

    targeted: ClassVar[Any] = "never"


class Linear(nn.Module):
    """w . (x - 1/2) against 0."""

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(w)
        self.head = nn.Linear(1, 2)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[1.0], [0.0]]))
            self.head.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(((x.flatten(1) - 0.5) @ self.w)[:, None])
        return out


def weights(seed: int) -> Tensor:
    """Those of the attacked network (1), and others akin to them."""
    first, other = (torch.randn(36, generator=torch.Generator().manual_seed(s)) for s in (1, seed))
    return first if seed == 1 else first + other


def images() -> ImageData:
    """Images far from the bounds, so that nothing is clipped."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(100, 156, (COUNT, *SHAPE), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 2, (COUNT,), generator=generator)
    return ImageData("toy", "test", ("a", "b"), labels, SHAPE, tensor_digest(pixels), pixels)


def settings(*, attack: dict[str, Any] | None = None, preset: str = "paper", **experiment: Any) -> Settings:
    if "straight" not in components.REGISTRIES["attack"]:
        components.REGISTRIES["attack"].add("straight", Straight)
        components.REGISTRIES["attack"].add("untargeted", Untargeted)
    return resolve(
        {
            "dataset": {"name": "digits"}, "model": {"name": "lenet"}, "recipe": {"name": "none"},
            "attack": {"name": "straight"} if attack is None else attack,
            "experiment": {"name": "attack_survey", "samples": COUNT, **experiment}, "run": {"preset": preset},
        }
    )  # fmt: skip


def forward(seed: int, batch: int = 16) -> Forward:
    classifier = Classifier(Linear(weights(seed)), name=f"toy{seed}", shape=SHAPE, mean=None, std=None).eval()
    return Forward(classifier, Execution(batch, "contiguous", "float32"))


def context(tmp_path: Path, *, batch: int = 16, others: dict[str, int] | None = None, **options: Any) -> NetworkContext:
    """A context over random images and a linear network, as the runner would make it."""
    chosen = settings(**options)
    made = {name: forward(seed) for name, seed in (others or {}).items()}
    ctx: NetworkContext = testing.context(chosen, forward(1, batch), images(), others=made, folder=tmp_path)
    ctx.prepared = json.loads(json.dumps(chosen.experiment.prepare(ctx)))
    return ctx


def table(ctx: NetworkContext) -> pd.DataFrame:
    return testing.measured(ctx).drop(columns="run")


def test_rows_are_the_closed_form(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    found = table(ctx).set_index("sample")
    data = images()
    assert sorted(found.index) == list(range(COUNT))
    w = weights(1).double()
    for sample in range(COUNT):
        row = found.loc[sample]
        gap = float((data.images(torch.tensor([sample])).double().flatten(1) - 0.5) @ w)
        right = (gap > 0) == (int(data.labels[sample]) == 0)
        assert (row["label"], row["target"], row["victim"]) == (int(data.labels[sample]), -1, "self")
        assert row["eligible"] == right == row["success"]
        assert row["status"] == ("success" if right else "ineligible")
        if right:
            step = 1.001 * abs(gap) / float(w.square().sum()) * w.abs()
            norms = [float(step.sum()), float(step.square().sum().sqrt()), float(step.max())]
            assert [row["l1"], row["l2"], row["linf"]] == pytest.approx(norms, rel=1e-4)
            assert row["margin"] == pytest.approx(0.001 * abs(gap), rel=0.05)
            assert row["prediction"] == 1 - row["label"]
            assert 0 < row["ssim"] <= 1
            assert row["pass_score"] >= row["ssim"] - 1e-6
        else:
            assert math.isnan(row["l2"])
            assert math.isnan(row["pass_score"])


def test_what_it_took_is_counted_in_the_rows_and_for_the_manifest(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    found = table(ctx)
    eligible = int(found["eligible"].sum())
    assert 0 < eligible < COUNT
    # the check before and after takes every image, the gradient the eligible ones
    assert found["forwards"].sum() == pytest.approx(2 * COUNT + eligible)
    assert found["backwards"].sum() == pytest.approx(eligible)
    rounded = int(found["success"].sum())  # classified once more as 8-bit images
    assert (ctx.counts.forwards, ctx.counts.backwards) == (2 * COUNT + eligible + rounded, eligible)
    assert ctx.counts.images == COUNT
    assert ctx.counts.seconds > 0


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_the_table_depends_on_neither_batch_nor_cell_size(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = table(context(tmp_path, targets="random"))
    monkeypatch.setattr("advlab.experiments.surveys.attack_survey.CELL_IMAGES", 3)
    other = table(context(tmp_path, batch=batch, targets="random"))
    assert len(context(tmp_path).settings.experiment.cells(context(tmp_path))) == -(-COUNT // 3)
    same = [name for name in one.columns if name not in ("forwards", "backwards")]
    pd.testing.assert_frame_equal(one[same], other[same], rtol=1e-3, atol=1e-6)


def test_targets_are_a_function_of_seed_and_sample() -> None:
    experiment = settings(targets="random").experiment
    drawn = [experiment.targets(0, i, 3, 10)[0] for i in range(400)]
    assert drawn == [experiment.targets(0, i, 3, 10)[0] for i in range(400)]
    assert drawn != [experiment.targets(1, i, 3, 10)[0] for i in range(400)]
    assert set(drawn) == set(range(10)) - {3}
    assert settings(targets="all").experiment.targets(0, 5, 3, 10) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert settings().experiment.targets(0, 5, 3, 10) == [-1]


def test_transfer_shows_successes_to_networks_that_were_right(tmp_path: Path) -> None:
    found = table(context(tmp_path, others={"mlp": 2}, transfer=["mlp"]))
    own, other = found[found["victim"] == "self"], found[found["victim"] == "mlp"]
    assert list(own["sample"]) + list(other["sample"]) == list(found["sample"])
    assert set(other["sample"]) == set(own.loc[own["success"], "sample"])
    w, v, data = weights(1).double(), weights(2).double(), images()
    moved_some = False
    for row in other.itertuples():
        x = data.images(torch.tensor([row.sample])).double().flatten(1)[0] - 0.5
        adv = x - 1.001 * (x @ w) / (w @ w) * w
        clean, seen = int((x @ v) <= 0), int((adv @ v) <= 0)
        assert row.eligible == (clean == row.label)
        assert row.prediction == seen
        assert row.success == (clean == row.label and seen != row.label)
        assert row.status == ("success" if row.success else "kept" if row.eligible else "ineligible")
        assert math.isnan(row.forwards)
        moved_some |= row.success
    assert moved_some


def test_failures_are_named_and_counted(tmp_path: Path) -> None:
    found = table(context(tmp_path, attack={"name": "straight", "farthest": 0.05}))
    line = Survey(Survey.Params()).summary(found.assign(run="toy")).iloc[0]
    missed = found["eligible"] & ~found["success"]
    assert 0 < missed.sum() < found["eligible"].sum()
    assert line["failures"] == f"{missed.sum()} max_iter"
    assert line["attack"] == "straight (farthest=0.05)"
    assert found.loc[found["success"], "l2"].max() <= 0.05 * 1.001


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_robust_accuracy_of_a_linear_network_is_the_closed_form(norm: str, tmp_path: Path) -> None:
    """An image withstands a ball exactly where it is right and farther from the boundary than the radius."""
    w, data = weights(1).double(), images()
    gaps = (data.images(torch.arange(COUNT)).double().flatten(1) - 0.5) @ w
    margins = torch.where(data.labels == 0, gaps, -gaps) / (w.abs().sum() if norm == "linf" else w.norm())
    right = margins[margins > 0].sort().values
    radius = float(right[len(right) // 2 - 1 : len(right) // 2 + 1].mean())
    attack = {"name": "pgd", "norm": norm, "epsilon": radius, "steps": 10, "step": 1.0, "random_start": False}
    found = table(context(tmp_path, attack=attack)).assign(run="toy")
    line = Survey(Survey.Params()).summary(found).iloc[0]
    assert line["accuracy"] == len(right) / COUNT
    assert line["robust_accuracy"] == float((margins > radius).sum()) / COUNT
    assert 0 < line["robust_accuracy"] < line["accuracy"] < 1


def test_what_is_correct_is_known_of_an_attack_on_the_whole_set_too(tmp_path: Path) -> None:
    """It attacks all images, right or wrong, and counts changed predictions."""
    data = images()
    right = ((data.images(torch.arange(COUNT)).flatten(1) - 0.5) @ weights(1) > 0) == (data.labels == 0)
    found = table(context(tmp_path, attack={"name": "uap", "epsilon": 0.02, "passes": 1})).sort_values("sample")
    assert found["eligible"].all()
    assert found["correct"].tolist() == right.double().tolist()
    line = Survey(Survey.Params()).summary(found.assign(run="toy")).iloc[0]
    assert line["robust_accuracy"] == (right.numpy() & (found["prediction"] == found["label"])).mean()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"attack": {"name": "none"}}, "attack=fgs"),
        ({"attack": {"name": "fooling"}}, "experiment.targets=random"),
        ({"attack": {"name": "untargeted"}, "targets": "all"}, "takes no targets"),
        ({"attack": {"name": "uap"}, "targets": "random"}, "takes no targets"),
        ({"transfer": ["lenett"]}, "experiment.transfer=lenett: there is no model 'lenett'. Did you mean"),
        ({"transfer": ["vgg16"]}, "experiment.transfer=vgg16: vgg16 takes images of 3x224x224"),
        ({"transfer": ["mlp", "mlp"]}, "experiment.transfer: mlp is named twice"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"targets": "some"}, "experiment.targets"),
    ],
)
def test_bad_settings_name_the_remedy(options: dict[str, Any], words: str) -> None:
    load_plugins()
    with pytest.raises(ConfigError) as caught:
        settings(**options)
    assert words in str(caught.value)


def test_presets_scale_samples() -> None:
    assert settings(preset="tiny").experiment.params.samples == 8
    assert settings(preset="laptop").experiment.params.samples == 200
    assert Survey.Params().samples == 1000
