"""Networks with and without blur: what is trained and attacked, spectra at their layers, claims in both directions, one run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.gunther2017.aliasing_measure import (
    downsampled_inputs,
    image_columns,
    measure,
    smallest_perturbations,
    spectra,
    trained_network,
)
from torch import nn

from advlab import testing
from advlab.attacks import FGV
from advlab.config import components
from advlab.errors import AdvlabError, ConfigError
from advlab.metrics.pass_score import pass_score
from advlab.metrics.spectrum import share_above_nyquist
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from advlab.models.networks.antialiasing import GaussianBlur
from tests.helpers.commands import Ended
from tests.helpers.tiny_runs import OPTIONS, TINY

Aliasing = components.REGISTRIES["experiment"].load("aliasing")
MODEL = {"name": "lenet", "input": [1, 20, 20], "classes": 3, "hidden": 10}
RECIPE = {"name": "toy", "epochs": 3, "batch_size": 10}


def context(model: dict[str, Any] | None = None, recipe: dict[str, Any] | None = None, **params: Any) -> Any:
    """Three classes of stripes, bright in the left, the middle or the right."""
    x = 0.3 * torch.rand(60, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(60) % 3
    for i, label in enumerate(labels.tolist()):
        x[i, :, :, 6 * label : 6 * label + 6] += 0.5
    options = {f"experiment.{key}": value for key, value in {"seeds": 2, "minimal_images": 9, **params}.items()}
    components_ = {"model": {**MODEL, **(model or {})}, "recipe": {**RECIPE, **(recipe or {})}}
    return testing.context("aliasing", None, x, labels, {**components_, **options})


def forward_of(classifier: Classifier) -> Forward:
    return Forward(classifier.requires_grad_(False), Execution(50, "contiguous", "float32"))


def test_both_networks_are_trained_alike_and_the_original_is_the_runs_own() -> None:
    ctx = context()
    experiment = ctx.settings.experiment
    original, again, blurred = (
        trained_network(experiment, ctx, 0, kind) for kind in ("original", "original", "blurred")
    )
    assert original.digest() == again.digest() == ctx.train(seed=0).digest() != blurred.digest()
    model = replace(ctx.settings.model, blur=1.25)
    assert blurred.digest() == ctx.train(seed=0, model=model).digest()
    assert [name for name, m in blurred.network.named_modules() if isinstance(m, GaussianBlur)] == [
        "pool1.blur",
        "pool2.blur",
    ]
    assert not torch.equal(
        original.network.conv1.weight, trained_network(experiment, ctx, 1, "original").network.conv1.weight
    )


def test_layers_by_name() -> None:
    ctx = context(layers=["pool2"])
    assert ctx.prepared["layers"] == ["pool2"]
    blurred = trained_network(ctx.settings.experiment, ctx, 0, "blurred")
    assert [name for name, m in blurred.network.named_modules() if isinstance(m, GaussianBlur)] == ["pool2.blur"]


def test_iterations_are_scaled_where_the_recipe_counts_them() -> None:
    ctx = context(recipe={"epochs": 0, "max_steps": 40}, scale=0.25)
    expected = ctx.train(replace(ctx.settings.recipe, max_steps=10), seed=0)
    assert trained_network(ctx.settings.experiment, ctx, 0, "original").digest() == expected.digest()


def test_inputs_of_layers_are_those_of_pooling_behind_the_blur() -> None:
    ctx = context()
    x, _ = ctx.images_and_labels(range(5))
    for kind in ("original", "blurred"):
        classifier = trained_network(ctx.settings.experiment, ctx, 0, kind)
        found = downsampled_inputs(classifier, x, ["pool1", "pool2"])
        assert list(found) == ["image", "pool1", "pool2"]
        torch.testing.assert_close(found["image"][0], x)
        scaled = (x - classifier.mean) / classifier.std
        maps = classifier.network.conv1(scaled)
        if kind == "blurred":
            maps = GaussianBlur(1.25)(maps)
        torch.testing.assert_close(found["pool1"][0], maps)
        assert [stride for _, stride in found.values()] == [(2, 2)] * 3


def test_spectra_of_images_that_were_not_fooled_are_of_the_clean_image_alone() -> None:
    ctx = context(spectrum_images=20)
    experiment = ctx.settings.experiment
    classifier = trained_network(experiment, ctx, 0, "original")
    x, labels = ctx.images_and_labels(ctx.prepared["samples"])
    labels = labels.clone()
    labels[3] = (labels[3] + 1) % 3  # which is then not correct
    result = FGV(discrete=True)(forward_of(classifier).attack_target, x, labels)
    assert result.success[:20].any()
    assert not result.success[3]
    shares = spectra(experiment, ctx, classifier, x, result)
    assert {len(values) for layer in shares.values() for values in layer.values()} == {20}
    index = int(result.success.nonzero()[0])
    clean, moved = (downsampled_inputs(classifier, y[index : index + 1], ["pool1", "pool2"]) for y in (x, result.adv))
    maps, other = clean["pool2"][0], moved["pool2"][0]
    for name, expected in (
        ("clean_high", maps),
        ("adversarial_high", other),
        ("change_high", other.double() - maps.double()),
    ):
        found = share_above_nyquist(expected, (2, 2)).item()
        assert shares["pool2"][name][index] == pytest.approx(found, rel=1e-4)
    assert not np.isnan(shares["image"]["clean_high"][3])
    assert np.isnan(shares["image"]["adversarial_high"][3])
    assert np.isnan(shares["pool1"]["change_high"][3])


def test_columns_of_images() -> None:
    ctx = context(pass_images=7)
    experiment = ctx.settings.experiment
    classifier = trained_network(experiment, ctx, 0, "original")
    x, labels = ctx.images_and_labels(ctx.prepared["samples"])
    forward = forward_of(classifier)
    result = FGV(discrete=True)(forward.attack_target, x, labels)
    columns = image_columns(experiment, ctx, x, result)
    predictions = forward(result.adv).argmax(1).tolist()
    for i in range(len(x)):
        assert columns["correct"][i] == (int(forward(x[i : i + 1]).argmax()) == int(labels[i]))
        if result.success[i]:
            assert columns["adversarial"][i] == predictions[i] != int(labels[i])
            assert columns["length"][i] == pytest.approx(float((result.adv[i] - x[i]).norm()), rel=1e-5)
            if i < 7:
                expected = float(pass_score(x[i : i + 1], result.adv[i : i + 1]))
                assert columns["pass_score"][i] == pytest.approx(expected, abs=1e-5)
        else:
            assert columns["adversarial"][i] == -1
            assert np.isnan(columns["length"][i])
        assert np.isnan(columns["pass_score"][i]) == (i >= 7 or not bool(result.success[i]))


def test_smallest_perturbations_are_a_linear_networks_margins() -> None:
    ctx = context()
    torch.manual_seed(0)
    layer = nn.Linear(400, 3)
    classifier = Classifier(nn.Sequential(nn.Flatten(), layer), name="linear", shape=(1, 20, 20), mean=None, std=None)
    x = 0.5 + 0.05 * torch.rand(12, 1, 20, 20)
    weight = layer.weight.detach().double()
    logits = x.flatten(1).double() @ weight.T + layer.bias.detach().double()
    labels = logits.argmax(1)
    labels[2] = (labels[2] + 1) % 3
    found = smallest_perturbations(ctx.settings.experiment, ctx, forward_of(classifier), x, labels)
    assert np.isnan(found[2])
    assert np.isnan(found[9:]).all()
    for i in (0, 1, 3, 8):
        best = int(labels[i])
        margins = [
            float((logits[i, best] - logits[i, j]) / (weight[best] - weight[j]).norm()) for j in range(3) if j != best
        ]
        assert found[i] == pytest.approx(min(margins), rel=0.02)


def test_rows_do_not_depend_on_the_batch() -> None:
    tables = []
    for batch in (1, 256):
        ctx = context(images=12, spectrum_images=5)
        ctx.settings = replace(ctx.settings, run=replace(ctx.settings.run, batch_size=batch))
        experiment = ctx.settings.experiment
        cells = {cell.id: cell for cell in experiment.cells(ctx)}
        tables.append(pd.DataFrame(vars(row) for row in measure(experiment, ctx, cells["seed-0-blurred"])))
    pd.testing.assert_frame_equal(*tables, rtol=1e-3)
    assert list(tables[0]["layer"].value_counts().sort_index()) == [7 + 12, 5, 5, 5]
    assert tables[0].loc[tables[0]["arithmetic"] == "float32", "minimal"].isna().all()


@pytest.mark.parametrize(("options", "words"), [
    ({"model": {"name": "mlp", "input": [1, 20, 20], "classes": 3}}, "no pooling"),
    ({"model": {"blur": 1.0}}, "experiment.blur"),
    ({"recipe": {"name": "none"}}, "recipe=lenet_mnist_paper"),
    ({"layers": ["conv1"]}, "pool1, pool2"),
    ({"layers": []}, "layers must"),
])  # fmt: skip
def test_what_is_refused(options: dict[str, Any], words: str) -> None:
    model, recipe = options.pop("model", {}), options.pop("recipe", {})
    settings = {"model": model if "name" in model else {**MODEL, **model}, "recipe": recipe or RECIPE}
    x = torch.rand(6, 1, 20, 20)
    with pytest.raises(AdvlabError, match=words):
        testing.context(
            "aliasing", None, x, torch.arange(6) % 3, settings | {f"experiment.{k}": v for k, v in options.items()}
        )


def test_a_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").touch()
    with pytest.raises(ConfigError, match="of advlab's own"):
        testing.settings_of(
            "aliasing", {"model": {**MODEL, "checkpoint": str(tmp_path / "weights.pt")}, "recipe": RECIPE}
        )


@pytest.mark.long
def test_a_run(cli: Any) -> None:
    ended: Ended = cli("experiment=aliasing", *TINY, *OPTIONS["aliasing"])
    assert ended.code == 0, ended.err
    (path,) = Path("outputs").glob("**/table.csv")
    table = pd.read_csv(path)
    assert set(table["network"]) == {"original", "blurred"}
