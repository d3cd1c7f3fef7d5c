"""What a context does for attacks: batches that fit, counts and seconds, and errors that name what to type."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from advlab import testing
from advlab.config.settings import resolve
from advlab.errors import ArgumentError, ConfigError, ModelError
from advlab.lab import NetworkContext
from advlab.models.classifier import Classifier


def context(folder: Path, batch_size: int) -> NetworkContext:
    settings = resolve(
        {
            "dataset": {"name": "digits"}, "model": {"name": "lenet"}, "attack": {"name": "fgv"},
            "experiment": {"name": "attack_survey"},
        },
        choices={"attack": "my_fgv"},
    )  # fmt: skip
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    classifier = Classifier(network, name="toy", shape=(1, 2, 2), classes=3, mean=None, std=None)
    images, labels = torch.rand(5, 1, 2, 2), torch.tensor([0, 1, 2, 0, 1])
    ctx: NetworkContext = testing.context(settings, classifier, images, labels, batch_size=batch_size, folder=folder)
    return ctx


def test_a_batch_that_does_not_fit_is_halved_and_its_seconds_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = context(tmp_path, 20)
    sizes: list[int] = []
    clock = types.SimpleNamespace(now=0.0)  # moves only where a call moves it
    monkeypatch.setattr("advlab.models.forward.time", types.SimpleNamespace(perf_counter=lambda: clock.now))

    def call(batch: int) -> str:
        sizes.append(batch)
        if batch > 5:
            clock.now += 100
            raise RuntimeError("CUDA out of memory")
        clock.now += 3
        return "done"

    assert ctx.in_batches(call, images=7) == "done"
    assert sizes == [20, 10, 5]
    assert ctx.forward.halvings == [20, 10]
    assert ctx.forward.limit == 5
    assert ctx.counts.images == 7
    assert ctx.counts.seconds == 3


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), MemoryError(), RuntimeError("another fault")])
def test_what_halving_cannot_help_is_raised(error: Exception, tmp_path: Path) -> None:
    ctx = context(tmp_path, 1)
    calls = []

    def call(batch: int) -> Any:
        calls.append(batch)
        raise error

    with pytest.raises(type(error)):
        ctx.in_batches(call, images=1)
    assert calls == [1]
    assert ctx.counts.images == 0


def test_what_an_attack_refuses_names_what_the_user_typed(tmp_path: Path) -> None:
    def refuse(batch: int) -> Any:
        raise ArgumentError("epsilon must be above 0")

    with pytest.raises(ConfigError, match="attack=my_fgv: epsilon must be above 0"):
        context(tmp_path, 4).in_batches(refuse, images=1)


def test_a_defect_of_an_attack_is_no_refusal(tmp_path: Path) -> None:
    defect = ValueError("too many values to unpack")

    def fail(batch: int) -> Any:
        raise defect

    with pytest.raises(ValueError) as caught:
        context(tmp_path, 4).in_batches(fail, images=1)
    assert caught.value is defect


def test_features_of_several_layers_name_their_own_option(tmp_path: Path) -> None:
    ctx = context(tmp_path, 2)
    x = torch.rand(5, 1, 2, 2)  # more than a batch
    logits, (flat, scores) = ctx.features(x, ["0", "1"], option="experiment.layers")
    assert flat.equal(x.flatten(1))
    assert scores.equal(logits)
    torch.testing.assert_close(logits, ctx.forward(x))
    with pytest.raises(ModelError, match=r"experiment\.layers: toy has no layer 'nope'"):
        ctx.features(x, ["nope"], option="experiment.layers")
