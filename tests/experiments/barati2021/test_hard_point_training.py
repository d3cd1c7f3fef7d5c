"""Figure 5 of barati2021: what is trained on what, the attacks written out, and runs that repeat.

Longer than other files: one figure, whose trained networks its tests share.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import pandas as pd
import pytest
import torch
from advlab.experiments.barati2021.trained_networks import (  # type: ignore[import-not-found]
    trained_network,
    training_set,
)

from advlab.attacks.ascent.normalised_steps import ascend_normalised
from advlab.config import components
from advlab.config.compose import Composer
from advlab.config.settings import Settings
from advlab.engine.setup import build_context
from advlab.errors import AdvlabError, ConfigError
from advlab.lab import DataContext
from advlab.metrics.objectives import objective
from advlab.store.tables import to_csv
from advlab.testing import no_report

HardPointTraining = components.REGISTRIES["experiment"].load("hard_point_training")
SMALL = [
    "experiment=hard_point_training", "dataset=digits", "model.hidden=[16]", "recipe.epochs=1", "experiment.seeds=2",
    "experiment.train_images=300", "experiment.images=60", "experiment.pgd_images=20", "experiment.pgd_steps=3",
    "experiment.epsilons=[0,1,3]", "experiment.steps=2",
]  # fmt: skip


def settings(*overrides: str) -> Settings:
    with Composer(None) as composer:
        return composer.jobs([*SMALL, *overrides], multirun=False)[0]


def context(tmp_path: Any, *overrides: str) -> DataContext:
    chosen = settings(*overrides)
    return context_of(chosen, tmp_path)


def context_of(chosen: Settings, folder: Any) -> DataContext:
    ctx = build_context(
        dataclasses.replace(chosen, run=dataclasses.replace(chosen.run, cache_root=str(folder))), None, no_report
    )
    assert isinstance(ctx, DataContext)
    ctx.prepared = chosen.experiment.prepare(ctx)
    return ctx


def rows(ctx: DataContext) -> list[Any]:
    experiment = ctx.settings.experiment
    return [row for cell in experiment.cells(ctx) for row in experiment.measure(ctx, cell)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataContext, list[Any]]:
    ctx = context(tmp_path_factory.mktemp("cache"))
    return ctx, rows(ctx)


def test_the_experiment_chooses_its_recipe_and_gives_way_to_the_command_line() -> None:
    assert settings().nodes["recipe"]["name"] == "mlp_barati2021"
    assert settings("recipe=mlp_mnist").nodes["recipe"]["name"] == "mlp_mnist"


def test_cells_are_seeds_and_networks(measured: tuple[DataContext, list[Any]]) -> None:
    ctx, found = measured
    ids = [cell.id for cell in ctx.settings.experiment.cells(ctx)]
    names = ["reference", "third", "noise", "hard", "pgd"]
    assert ids == [f"seed-{s}-{name}" for s in (0, 1) for name in names]
    keys = [(r.seed, r.victim, r.source, r.attack, r.epsilon) for r in found]
    assert len(set(keys)) == len(keys)
    # per seed: 5 networks by the reference, 4 others by their own and on the reference; noise, PGD, clipped on each of 5
    assert len(keys) == 2 * 3 * (5 + 4 * 2 + 3 * 5)


def test_epsilon_0_is_the_clean_accuracy_and_lengths_are_epsilon(measured: tuple[DataContext, list[Any]]) -> None:
    _, found = measured
    table = pd.DataFrame([vars(row) for row in found])
    boxed = table["attack"].isin(["pgd", "one_step_clipped"])
    clean = table[(table["epsilon"] == 0) & ~boxed]
    assert (clean.groupby(["seed", "victim"])["correct"].nunique() == 1).all()
    given = table[~boxed & (table["epsilon"] > 0)]
    assert given["length"].to_numpy() == pytest.approx(given["epsilon"].to_numpy(), rel=1e-5)
    pgd = table[boxed]
    assert (pgd["length"] <= pgd["epsilon"] + 1e-5).all()
    assert (pgd["images"] == 20).all()
    none = boxed & (table["epsilon"] == 0)
    assert (table[none].groupby(["seed", "victim"])["correct"].nunique() == 1).all()
    strong = table[table["epsilon"] == 3].groupby("attack")["correct"].sum()
    assert strong["pgd"] <= strong["one_step_clipped"] < table[none & (table["attack"] == "pgd")]["correct"].sum()
    assert (given["images"] == 60).all()


def test_each_network_gets_its_recipe_and_its_data(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reaches training: names, images and what is added to them."""
    seen: list[tuple[list[str], str, int, str]] = []
    train = DataContext.train

    def spy(ctx: DataContext, recipe: Any, *, data: Any, seed: int) -> Any:
        seen.append((recipe.augment, recipe.adversarial_step, len(data), data.digest))
        return train(ctx, recipe, data=data, seed=seed)

    monkeypatch.setattr(DataContext, "train", spy)
    ctx = context(tmp_path, "experiment.networks=[reference,third,noise,hard,adversarial,pgd]", "experiment.seeds=1",
                  "experiment.pgd_images=0", "recipe.augment=[crop:1]", "experiment.step=.7",
                  "recipe.adversarial_step=separate")  # fmt: skip
    added = {"third": [], "noise": ["hard_noise:2,0.7"], "hard": ["hard:2,0.7"], "adversarial": ["adversarial:2,0.7"],
             "pgd": ["pgd:2,0.7"]}  # fmt: skip
    digests = set()
    for cell in ctx.settings.experiment.cells(ctx)[1:]:  # each with the reference
        seen.clear()
        ctx.settings.experiment.measure(ctx, cell)
        (augment, step, images, digest), (plain, step_of_reference, whole, _) = seen
        assert step == ("joint" if cell.payload["network"] == "third" else "separate")
        assert (augment, images) == (["crop:1", *added.pop(cell.payload["network"])], 100)
        assert (plain, step_of_reference, whole) == (["crop:1"], "joint", 300)
        digests.add(digest)
    assert not added
    assert len(digests) == 1  # the same third for all


def test_where_training_points_end_up(measured: tuple[DataContext, list[Any]]) -> None:
    """The reach is below all steps together, and noise goes as far as its network's hard points."""
    ctx, found = measured
    p = ctx.settings.experiment.params
    table = pd.DataFrame([vars(row) for row in found])
    reaches = table.groupby(["seed", "victim"])["reach"]
    assert (reaches.nunique() <= 1).all()
    first = reaches.first().unstack("victim")
    assert first[["reference", "third"]].isna().all().all()
    assert (first[["noise", "hard", "pgd"]] < p.steps * p.step).all().all()
    assert ctx.data is not None
    x = ctx.data.images(torch.tensor(ctx.prepared["samples"]))
    for name in ("hard", "noise"):
        network = trained_network(p, ctx, name, 1)
        moved = ascend_normalised(lambda z, n=network: objective(n, z, "hard"), x, steps=p.steps, step=p.step)  # type: ignore[misc]
        expected = float((moved - x).flatten(1).norm(dim=1).mean())
        assert first.loc[1, name] == pytest.approx(expected, rel=0.03)  # no pixel of noise moves by more than 1/2


def test_the_one_step_attack_is_the_papers(measured: tuple[DataContext, list[Any]]) -> None:
    """x + epsilon grad / ||grad||, written out; the images of one network on itself and on the reference."""
    ctx, found = measured
    p = ctx.settings.experiment.params
    assert ctx.data is not None
    index = torch.tensor(ctx.prepared["samples"])
    x, y = ctx.data.images(index), ctx.data.labels[index]
    hard, reference = (trained_network(p, ctx, name, 1).double() for name in ("hard", "reference"))
    at = x.double().requires_grad_()
    (gradient,) = torch.autograd.grad(torch.nn.functional.cross_entropy(hard(at), y, reduction="sum"), at)
    lengths = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    for epsilon in (0.0, 1.0, 3.0):
        moved = x.double() + epsilon * gradient / lengths
        for victim, network in (("hard", hard), ("reference", reference)):
            right = int((network(moved).argmax(1) == y).sum())
            row = next(r for r in found if (r.seed, r.victim, r.source, r.attack, r.epsilon)
                       == (1, victim, "hard", "one_step", epsilon))  # fmt: skip
            assert abs(row.correct - right) <= 1  # a tie in float32


def test_the_clipped_step_is_the_same_inside_the_box(measured: tuple[DataContext, list[Any]]) -> None:
    ctx, found = measured
    p = ctx.settings.experiment.params
    assert ctx.data is not None
    index = torch.tensor(ctx.prepared["samples"][: p.pgd_images])
    x, y = ctx.data.images(index).double(), ctx.data.labels[index]
    for name in p.networks:
        network = trained_network(p, ctx, name, 0).double()
        at = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(torch.nn.functional.cross_entropy(network(at), y, reduction="sum"), at)
        for epsilon in p.epsilons:
            moved = (x + epsilon * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(0, 1)
            row = next(r for r in found if (r.seed, r.victim, r.source, r.attack, r.epsilon)
                       == (0, name, name, "one_step_clipped", epsilon))  # fmt: skip
            assert row.length == pytest.approx(float((moved - x).flatten(1).norm(dim=1).mean()), rel=1e-4, abs=1e-9)
            assert abs(row.correct - int((network(moved).argmax(1) == y).sum())) <= 1


def test_the_share_is_part_of_the_whole_and_the_same_for_all(tmp_path: Any) -> None:
    ctx = context(tmp_path)
    whole, third = training_set(ctx, 4, 1.0, 300), training_set(ctx, 4, 1 / 3, 300)
    assert len(whole) == 300
    assert len(third) == 100
    assert torch.equal(third.pixels[:], whole.pixels[torch.arange(100)])
    assert training_set(ctx, 4, 1 / 3, 300).digest == third.digest != training_set(ctx, 5, 1 / 3, 300).digest
    everything = training_set(ctx, 4, 1.0, 0)
    assert len(everything) == 1437
    assert everything.digest == training_set(ctx, 5, 1.0, 0).digest  # shared with ordinary runs of the model


def test_runs_repeat_and_train_once(
    measured: tuple[DataContext, list[Any]], tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    _, found = measured
    ctx = context(tmp_path)
    with caplog.at_level(logging.INFO):
        first = rows(ctx)
    assert sum("training mlp" in message for message in caplog.messages) == 10
    assert to_csv(first, HardPointTraining.Row) == to_csv(found, HardPointTraining.Row)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        again = rows(context(tmp_path, "run.batch_size=7"))
    assert not any("training mlp" in message for message in caplog.messages)
    changes = [(a.correct, b.correct) for a, b in zip(first, again, strict=True) if abs(a.correct - b.correct) > 1]
    assert not changes


def test_other_images_and_networks(tmp_path: Any) -> None:
    """Another shape, a convolutional network, and networks chosen by name."""
    overrides = [
        "model=lenet", "dataset.size=20", "model.input=[1,20,20]", "model.hidden=20", "recipe=mlp_barati2021",
        "experiment.seeds=1", "experiment.networks=[reference,adversarial,hard]", "experiment.pgd_images=0",
    ]  # fmt: skip
    kept = [text for text in SMALL if not text.startswith("model.")]
    with Composer(None) as composer:
        chosen = composer.jobs([*kept, *overrides], multirun=False)[0]
    ctx = context_of(chosen, tmp_path)
    found = rows(ctx)
    assert {row.victim for row in found} == {"reference", "adversarial", "hard"}
    claims = HardPointTraining(HardPointTraining.Params()).claims(pd.DataFrame([vars(row) for row in found]))
    verdicts = {claim.claim: claim.verdict for claim in claims}
    assert verdicts["above-pgd"] == verdicts["pgd-above-pgd"] == "not measured"


def test_the_cost_covers_what_is_counted(measured: tuple[DataContext, list[Any]]) -> None:
    ctx, _ = measured
    cost = ctx.settings.experiment.cost(ctx)
    assert ctx.counts.backwards < cost.backwards
    assert ctx.counts.forwards < cost.forwards


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("experiment.networks=[hard,pgd]", "must hold reference"),
        ("experiment.networks=[reference,strong]", "no 'strong'"),
        ("experiment.share=0", "share must be above 0"),
        ("experiment.step=0", "step must be above 0"),
        ("experiment.steps=0", "steps must be at least 1, got 0"),
        ("experiment.epsilons=[1,2]", "rise from 0"),
        ("experiment.images=-1", "images must be at least 0"),
        ("recipe=none", "needs a recipe"),
        ("recipe=mlp_hard_points", "training points of its own"),
        ("model=resnet18", "choose another model"),
        ("model.input=[1,8,8]", "dataset.size=8"),
    ],
)
def test_bad_lines(override: str, words: str, cli: Any) -> None:
    group = override.partition("=")[0]
    kept = [text for text in SMALL if not text.startswith(f"{group}.")]  # keys of a choice that is replaced
    ended = cli(*kept, override, "run.dry=true")
    assert ended.code == 2
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_errors_are_the_programs() -> None:
    with pytest.raises(ConfigError):
        settings("recipe=mlp_hard_points")
    with pytest.raises(AdvlabError):
        settings("experiment.seeds=0")
