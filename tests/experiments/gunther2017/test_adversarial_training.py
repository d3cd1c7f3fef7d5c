"""Table 1 of gunther2017: what is trained on what, and every number of the table counted again by hand.

Longer than other files: one table, whose trained networks its tests share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.gunther2017.fine_tuned_networks_measure import (  # type: ignore[import-not-found]
    base_network,
    fine_tuned_network,
    fine_tuning_images,
)
from sklearn.datasets import load_digits
from torch import Tensor

from advlab import testing
from advlab.data.images import ImageData, unit_interval
from advlab.engine.stages import hold_stages, plan_stages
from advlab.errors import ArgumentError, ConfigError
from advlab.lab import DataContext
from advlab.metrics.pass_score import pass_score
from advlab.training.first_images import first_images

NETWORKS = ["base", "fgs", "hc", "fgs+hc", "clean", "noise", "pgd"]
SMALL = {
    "model": {"name": "mlp", "hidden": [24]},
    "recipe": {"name": "quick", "epochs": 4, "batch_size": 32, "lr": 0.05, "normalise": "caffe"},
    "experiment.networks": NETWORKS, "experiment.seeds": 1, "experiment.scale": 0.01, "experiment.iterations": 1000,
    "experiment.iterations_all": 1500, "experiment.train_images": 40, "experiment.test_images": 100,
    "experiment.images": 12, "experiment.pass_images": 5, "experiment.strong_images": 4,
    "experiment.pgd": "pgd_linf:0.1,0.03,3", "experiment.apgd_steps": 5,
}  # fmt: skip


def context(folder: Path, options: Mapping[str, Any] | None = None) -> DataContext:
    """Around 300 digits of 28x28 pixels; all splits are these."""
    digits = load_digits()
    pixels = torch.from_numpy(digits.images[:300] * (255 / 16)).round().to(torch.uint8)[:, None]
    pixels = torch.nn.functional.pad(pixels.repeat_interleave(3, 2).repeat_interleave(3, 3), (2, 2, 2, 2))
    ctx = testing.context(
        "adversarial_training", images=pixels, labels=torch.from_numpy(digits.target[:300]),
        options={**SMALL, **(options or {})}, folder=folder,
    )  # fmt: skip
    assert isinstance(ctx, DataContext)
    return ctx


def with_stages(ctx: DataContext) -> DataContext:
    """With all stages at hand, as a cell has its own."""
    plan_stages(ctx)
    hold_stages(ctx, list(ctx.stages))
    return ctx


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def run(folder: Path) -> tuple[DataContext, pd.DataFrame]:
    ctx = context(folder)
    table = testing.measured(ctx)
    return with_stages(ctx), table


def network(ctx: DataContext, name: str) -> Any:
    base = base_network(ctx.settings.experiment.params, ctx, 0)
    return base if name == "base" else fine_tuned_network(ctx.settings.experiment, ctx, 0, name, base)[0]


def classes(classifier: Any, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.stack([classifier(image[None]).argmax(1)[0] for image in images])


def originals(ctx: DataContext, attack: str) -> tuple[ImageData, Tensor, Tensor]:
    """The images that a stage made adversarial, which of them, and the adversarial images."""
    made = ctx.stage(f"train-0-{attack}").arrays
    data = first_images(ctx.load_split("train"), ctx.settings.experiment.params.train_images, 0)
    return data, torch.from_numpy(np.array(made["index"])), torch.from_numpy(np.array(made["adv"]))


def test_successes_and_failures_add_up_and_rates_are_theirs(run: tuple[DataContext, pd.DataFrame]) -> None:
    ctx, table = run
    failures = table[["zero_gradient", "no_flip_at_saturation", "other_failures"]].sum(1)
    assert (table["successes"] + failures == table["eligible"]).all()
    assert (table["eligible"] <= table["images"]).all()
    hc = table["attack"] == "hc"
    assert set(table[hc]["images"]) == {12 * 9}
    assert set(table[hc]["eligible"] % 9) == {0}
    assert set(table[table["attack"].isin(["fgs", "fgv"])]["images"]) == {12}
    assert set(table[table["attack"].isin(["deepfool_refined", "apgd"])]["images"]) == {4}
    assert len(table) == 7 * len(NETWORKS)
    assert (table["test_images"] == 100).all()
    summary = ctx.settings.experiment.summary(table).set_index(["network", "attack", "arithmetic"])
    for row in table.itertuples():
        line = summary.loc[(row.network, row.attack, row.arithmetic)]
        assert line["rate"] == row.successes / row.eligible
        assert line["accuracy"] == row.test_correct / 100
        if row.transferred_of:
            assert line["transfer"] == row.transferred / row.transferred_of


def test_clean_accuracy_and_eligible_images_by_brute_force(run: tuple[DataContext, pd.DataFrame]) -> None:
    ctx, table = run
    x, labels = ctx.images_and_labels(ctx.prepared["samples"])
    for name in NETWORKS:
        correct = classes(network(ctx, name), x) == labels
        rows = table[table["network"] == name].set_index("attack")
        assert set(rows["test_correct"]) == {int(correct.sum())}
        assert set(rows.loc[["fgs", "fgv"], "eligible"]) == {int(correct[:12].sum())}
        assert rows.loc["apgd", "eligible"] == int(correct[:4].sum())


def test_the_stages_images_are_adversarial_for_the_base_network_after_they_are_read(
    run: tuple[DataContext, pd.DataFrame],
) -> None:
    ctx, _ = run
    base = network(ctx, "base")
    for attack in ("fgs", "hc"):
        data, index, adv = originals(ctx, attack)
        assert adv.dtype == torch.uint8
        assert len(index) == len(adv) > len(data) / 2
        assert (classes(base, unit_interval(adv)) != data.labels[index]).all()
        assert (classes(base, data.images(index)) == data.labels[index]).all()
        times = index.bincount(minlength=len(data))
        assert int(times.max()) <= (9 if attack == "hc" else 1)
        facts = ctx.stage(f"train-0-{attack}").facts
        assert facts == {"attempts": len(data) * (9 if attack == "hc" else 1), "found": len(index)}


def test_images_of_fgs_move_from_their_own_original_by_one_size_in_every_pixel(
    run: tuple[DataContext, pd.DataFrame],
) -> None:
    """That would fail if images and indices were out of step."""
    ctx, _ = run
    data, index, adv = originals(ctx, "fgs")
    change = (adv.int() - data.bytes(index).int()).abs().flatten(1)
    inside = (adv.flatten(1) > 0) & (adv.flatten(1) < 255)
    size = change.amax(1, keepdim=True)
    assert (size > 0).all()
    assert (inside & (change > 0)).any(1).all()
    assert ((change == size) | (change == 0) | ~inside).all()


def test_images_beyond_the_smallest_weight_move_further_as_computed_by_hand(
    run: tuple[DataContext, pd.DataFrame], folder: Path
) -> None:
    ctx, _ = run
    further = context(folder, {"experiment.beyond": 1.05, "experiment.networks": ["base", "fgs"]})
    testing.measured(further)
    with_stages(further)
    data, index, adv = originals(ctx, "fgs")
    _, same, moved = originals(further, "fgs")
    assert index.equal(same)
    x = data.bytes(index).double()
    expected = (x + 1.05 * (adv.double() - x)).clamp(0, 255)
    assert (moved.double() - expected).abs().max() <= 0.5 + 1e-4
    lengths = [(images.double() - x).flatten(1).norm(dim=1) for images in (adv, moved)]
    assert (lengths[1] >= lengths[0]).all()
    assert (lengths[1] > lengths[0]).double().mean() > 0.8
    assert further.stages["train-0-fgs"].key != ctx.stages["train-0-fgs"].key
    assert further.stages["test-0-fgs-exact"].key == ctx.stages["test-0-fgs-exact"].key


def test_noise_is_as_large_as_the_perturbation_of_fgs_with_other_signs(run: tuple[DataContext, pd.DataFrame]) -> None:
    ctx, _ = run
    data, index, adv = originals(ctx, "fgs")
    noise = fine_tuning_images(ctx.settings.experiment, ctx, 0, "noise")
    assert isinstance(noise.pixels, Tensor)
    assert noise.labels.equal(data.labels[index])
    x = data.bytes(index).int()
    change, size = noise.pixels.int() - x, (adv.int() - x).abs().flatten(1).amax(1)
    assert change.abs().flatten(1).amax(1).equal(size)
    both_ways = (x >= size[:, None, None, None]) & (x <= 255 - size[:, None, None, None])
    assert 0.4 < float((change[both_ways] > 0).double().mean()) < 0.6
    assert set(change.abs()[both_ways].tolist()) <= set(size.tolist())


def test_fine_tuning_sees_the_images_of_its_kind_with_the_originals_labels(
    run: tuple[DataContext, pd.DataFrame],
) -> None:
    ctx, table = run
    experiment = ctx.settings.experiment
    data, index, adv = originals(ctx, "fgs")
    _, other, more = originals(ctx, "hc")
    seen = {name: fine_tuning_images(experiment, ctx, 0, name) for name in NETWORKS[1:]}
    assert torch.equal(seen["fgs"].pixels, adv)
    assert seen["fgs"].labels.equal(data.labels[index])
    assert torch.equal(seen["hc"].pixels, more)
    assert seen["hc"].labels.equal(data.labels[other])
    assert torch.equal(seen["fgs+hc"].pixels, torch.cat([adv, more]))
    assert seen["fgs+hc"].labels.equal(data.labels[torch.cat([index, other])])
    assert seen["clean"].digest == seen["pgd"].digest == data.digest
    assert len(data) == 40
    trained_on = table.groupby("network")["trained_on"].first()
    assert all(trained_on[name] == len(seen[name]) for name in seen)
    assert trained_on["base"] == 300
    iterations = table.groupby("network")["iterations"].first().to_dict()  # 4 epochs of 9 batches; PGD: 10 / (1 + 3)
    assert iterations == {"base": 36, "fgs": 10, "hc": 15, "fgs+hc": 15, "clean": 10, "noise": 10, "pgd": 3}


def test_each_training_begins_at_the_base_network_by_the_runs_recipe(
    run: tuple[DataContext, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx, table = run
    calls: list[tuple[Any, Any]] = []
    train = DataContext.train

    def spy(self: DataContext, recipe: Any, *, data: Any = None, initial: Any = None, seed: int) -> Any:
        calls.append((recipe, initial))
        return train(self, recipe, data=data, initial=initial, seed=seed)

    monkeypatch.setattr(DataContext, "train", spy)
    digests = set(table.groupby("network")["weights"].first())
    assert len(digests) == len(NETWORKS)
    for name in NETWORKS:
        calls.clear()
        assert network(ctx, name).digest()[:12] in digests
        assert calls[0] == (ctx.settings.recipe, None)
        if name != "base":
            recipe, initial = calls[1]
            assert initial.digest()[:12] == table[table["network"] == "base"]["weights"].iloc[0]
            assert recipe.augment == (["pgd_linf:0.1,0.03,3"] if name == "pgd" else [])
            steps = {"hc": 15, "fgs+hc": 15, "pgd": 3}.get(name, 10)
            assert recipe == replace(ctx.settings.recipe, epochs=0, max_steps=steps, augment=recipe.augment)


def test_transfer_by_brute_force(run: tuple[DataContext, pd.DataFrame]) -> None:
    ctx, table = run
    x, labels = ctx.images_and_labels(ctx.prepared["samples"][:12])
    rows = table.set_index(["network", "attack", "arithmetic"])
    for attack, arithmetic in (("fgs", "exact"), ("fgv", "float32"), ("hc", "")):
        made = ctx.stage(f"test-0-{attack}-{arithmetic}").arrays
        copies = 9 if attack == "hc" else 1
        for name in NETWORKS:
            classifier, of, fooled = network(ctx, name), 0, 0
            for row in np.flatnonzero(made["success"]):
                image, label = x[row // copies], int(labels[row // copies])
                adv = unit_interval(torch.from_numpy(np.array(made["adv"][row])))
                if int(classes(classifier, image[None])) == label:
                    of, fooled = of + 1, fooled + (int(classes(classifier, adv[None])) != label)
            line = rows.loc[(name, attack, arithmetic)]
            assert (line["transferred_of"], line["transferred"]) == (of, fooled)
            if name == "base":
                assert of == fooled == line["successes"]


def test_pass_is_of_one_pair_an_image_in_turn(run: tuple[DataContext, pd.DataFrame]) -> None:
    ctx, table = run
    x, _ = ctx.images_and_labels(ctx.prepared["samples"][:5])
    made = ctx.stage("test-0-hc-").arrays
    rows = [9 * image + image % 9 for image in range(5)]
    scores = [
        float(pass_score(x[image : image + 1], unit_interval(torch.from_numpy(np.array(made["adv"][row]))[None])))
        for image, row in enumerate(rows)
        if made["success"][row]
    ]
    line = table[(table["network"] == "base") & (table["attack"] == "hc")].iloc[0]
    assert line["pass_images"] == len(scores) > 2
    assert line["mean_pass"] == pytest.approx(np.mean(scores), abs=1e-5)


def test_no_iterations_leave_the_base_network(run: tuple[DataContext, pd.DataFrame], folder: Path) -> None:
    """What is attacked anew there is what the stages have made of the base network."""
    none = {"experiment.iterations": 0, "experiment.iterations_all": 0, "experiment.networks": ["base", "fgs", "pgd"]}
    table = testing.measured(context(folder, none))
    assert set(table["weights"]) == set(run[1][run[1]["network"] == "base"]["weights"])
    own = ["network", "iterations", "trained_on"]
    base = table[table["network"] == "base"].drop(columns=own).reset_index(drop=True)
    for name in ("fgs", "pgd"):
        rows = table[table["network"] == name]
        assert set(rows["iterations"]) == set(rows["trained_on"]) == {0}
        pd.testing.assert_frame_equal(rows.drop(columns=own).reset_index(drop=True), base, rtol=1e-5)


def test_the_table_does_not_depend_on_the_batch(run: tuple[DataContext, pd.DataFrame], folder: Path) -> None:
    options = {"run.batch_size": 5, "experiment.networks": ["base", "clean"]}
    table = testing.measured(context(folder / "other", options))
    expected = run[1][run[1]["network"].isin(["base", "clean"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(table.reset_index(drop=True), expected, rtol=1e-4)


def test_planning_trains_nothing_and_keys_hold_what_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a plan trains nothing")

    monkeypatch.setattr(DataContext, "train", refuse)

    def keys(**options: Any) -> dict[str, Any]:
        ctx = context(tmp_path, {name.replace("_", ".", 1): value for name, value in options.items()})
        plan_stages(ctx)
        ctx.settings.experiment.cost(ctx)
        return {name: stage.key for name, stage in ctx.stages.items()}

    plain = keys()
    assert set(plain) == {"train-0-fgs", "train-0-hc", *(f"test-0-{name}" for name in (
        "fgs-exact", "fgs-float32", "fgv-exact", "fgv-float32", "hc-"))}  # fmt: skip
    for options in ({"run_precision": "bf16"}, {"run_seed": 1}, {"model_hidden": [25]}, {"recipe_lr": 0.04}):
        other = keys(**options)
        assert all(key not in other.values() for key in plain.values()), options
    for options in ({"experiment_arithmetic": "float32"}, {"experiment_train_images": 41}):
        changed = {name for name, key in keys(**options).items() if key != plain[name]}
        expected = {"train-0-fgs"} if "experiment_arithmetic" in options else {"train-0-fgs", "train-0-hc"}
        assert changed == expected
    same = keys(experiment_iterations=7, experiment_pass_images=1, experiment_networks=["base", "hc", "fgs"])
    assert same == plain


def test_what_makes_no_table_is_refused() -> None:
    def refused(error: type[Exception], match: str, **options: Any) -> None:
        with pytest.raises(error, match=match):
            testing.settings_of("adversarial_training", {**SMALL, **options})

    params = testing.settings_of("adversarial_training", dict(SMALL)).experiment.params
    for networks in (["base", "hc+fgs"], ["base", "fgs+clean"], ["base", "fgs+fgs"], ["base", "sgf"], ["base", "+"]):
        with pytest.raises(ArgumentError, match=r"there are base, fgs.*fgs\+fgv\+hc"):
            replace(params, networks=networks)
    for networks in (["fgs"], ["base", "fgs", "fgs"]):
        with pytest.raises(ArgumentError, match="base and others, each once"):
            replace(params, networks=networks)
    with pytest.raises(ArgumentError, match="pgd must be"):
        replace(params, pgd="pgd:1,1")
    refused(ConfigError, "recipe=lenet_mnist_paper_100k", recipe="none")
    refused(ConfigError, "adversarial images of its own", **{"recipe.augment": ["pgd_linf:0.1,0.1,1"]})
