"""Scores that are NaN, memory that runs out, and batch sizes: what they change and what they must not."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

import advlab
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from advlab.store.run_directory import RunDirectory
from tests.helpers.run_files import RUN, clean, version
from tests.helpers.run_workshop import Workshop


def test_nan_scores_are_counted_kept_and_limited(workshop: Workshop, tmp_path: Path) -> None:
    arguments = [*RUN, "model.nan_above=3"]
    refused = workshop.run(*arguments, root=tmp_path)
    assert refused.code == 2
    clean(refused.err)
    assert "run.max_nonfinite=0.01 allows" in refused.err
    run = version(tmp_path)
    assert run.manifest()["status"] == "failed"
    allowed = workshop.run(*arguments, "run.resume=true", "run.max_nonfinite=1", root=tmp_path)
    assert allowed.code == 0, allowed.err
    frame = advlab.load(run.path).table
    counted = run.manifest()["nonfinite"]
    assert counted["count"] == frame["nonfinite"].sum() > 0
    assert counted["of"] == frame["trials"].sum()
    assert counted["samples"] == sorted(frame.loc[frame["nonfinite"] > 0, "sample"].unique().tolist())
    assert frame.loc[frame["nonfinite"] == 0, "range"].notna().all()
    assert frame.loc[frame["nonfinite"] == frame["trials"], "range"].isna().all()
    assert f"{counted['count']} of {counted['of']} scores are NaN" in allowed.err


def agree(run: RunDirectory, reference: RunDirectory) -> None:
    ours, theirs = advlab.load(run.path).table, advlab.load(reference.path).table
    ours, theirs = ours.drop(columns="noise_floor"), theirs.drop(columns="noise_floor")  # itself a rounding error
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-5, atol=1e-7)
    assert theirs["range"].max() > 0.01


def test_out_of_memory_halves_the_batch(workshop: Workshop, reference: RunDirectory, tmp_path: Path) -> None:
    """The card had more room when the batch size was measured."""
    ended = workshop.run(*RUN, root=tmp_path, TOY_MEMORY=16)
    assert ended.code == 0, ended.err
    clean(ended.err)
    run = version(tmp_path)
    agree(run, reference)
    manifest = run.manifest()
    assert manifest["batch_halvings"] == [60, 30]
    assert "out of memory with 60 images a forward: going on with 30" in ended.err
    assert reference.manifest()["forwards"] - manifest["forwards"] in (0, 60)  # the clean accuracy is kept in the cache


def test_a_batch_size_that_never_fits_is_halved(workshop: Workshop, reference: RunDirectory, tmp_path: Path) -> None:
    ended = workshop.run(*RUN, "run.batch_size=64", root=tmp_path, TOY_MEMORY=16, ADVLAB_CACHE=tmp_path / "cache")
    assert ended.code == 0, ended.err
    clean(ended.err)
    agree(version(tmp_path), reference)
    assert version(tmp_path).manifest()["batch_halvings"][0] in (60, 64)


def test_out_of_memory_with_one_image_and_other_errors_are_not_retried() -> None:
    calls: list[int] = []

    class Starved(Classifier):
        text, room = "CUDA out of memory", 0

        def forward(self, x: Tensor) -> Tensor:
            calls.append(len(x))
            if len(x) > self.room:
                raise RuntimeError(self.text)
            logits: Tensor = self.network(x)
            return logits

    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    Starved.room = 2
    classifier = Starved(network, name="s", shape=(1, 2, 2), classes=3, mean=None, std=None)
    x = torch.rand(37, 1, 2, 2)
    calls.clear()
    forward = Forward(classifier, Execution(37, "contiguous", "float32"))
    with torch.inference_mode():
        logits = forward(x)
        assert torch.allclose(logits, network(x), atol=1e-6)
        assert forward.halvings == [37, 19, 10, 5, 3]
        assert forward.images == 37
        calls.clear()
        forward(x)
        assert max(calls) == 2  # what did not fit is not tried again
        Starved.room = 0
        with pytest.raises(RuntimeError, match="out of memory"):
            forward(x)
        Starved.text = "mat1 and mat2 shapes cannot be multiplied"
        calls.clear()
        with pytest.raises(RuntimeError, match="shapes"):
            Forward(classifier, Execution(37, "contiguous", "float32"))(x)
    assert calls == [37]


@pytest.mark.parametrize("size", [7, 500])
def test_the_batch_size_changes_nothing(size: int, workshop: Workshop, reference: RunDirectory, tmp_path: Path) -> None:
    ended = workshop.run(*RUN, f"run.batch_size={size}", root=tmp_path)
    assert ended.code == 0, ended.err
    agree(version(tmp_path), reference)
    assert version(tmp_path).manifest()["execution"]["batch_size"] == size
    assert version(tmp_path).plan()["digest"] == reference.plan()["digest"]
