"""Table 1 by the command line: a folder of test images alone, and torchvision's AlexNet with weights of a user's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import alexnet

from advlab.models.networks.lenet import LeNet
from tests.helpers.commands import Ended
from tests.helpers.tiny_runs import TINY


def write_images(root: Path, classes: list[str], images: int) -> None:
    """Grey noise, `images` a class."""
    generator = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for n in range(images):
            Image.fromarray(generator.integers(256, size=(32, 32, 3), dtype=np.uint8)).save(root / name / f"{n}.png")


def outcome() -> tuple[pd.DataFrame, dict[str, Any]]:
    (plan,) = Path("outputs").glob("**/plan.json")
    return pd.read_csv(plan.with_name("table.csv")), json.loads(plan.read_text())["prepared"]


def test_a_folder_without_training_images_is_halved(cli: Callable[..., Ended]) -> None:
    write_images(Path("images"), [str(n) for n in range(10)], 2)
    torch.manual_seed(0)
    save_file(LeNet(input_shape=(1, 28, 28), classes=10).state_dict(), "lenet.safetensors")
    ended = cli(
        "experiment=downsampling", *TINY, "model=lenet", "model.checkpoint=lenet.safetensors", "dataset=folder",
        "dataset.root=images", "dataset.channels=1", "dataset.size=28", "run.output_root=outputs",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    table, prepared = outcome()
    assert prepared["split"] == "test"
    assert set(table["sample"]) == set(prepared["samples"])
    assert not set(prepared["samples"]) & set(prepared["others"])
    assert len(prepared["others"]) == 8
    assert "half of test stands for them" in ended.err


@pytest.mark.long
def test_torchvisions_alexnet_with_a_users_weights(cli: Callable[..., Ended]) -> None:
    write_images(Path("imagenet/val"), [f"n{n:08d}" for n in range(1000)], 1)
    save_file(alexnet(weights=None).state_dict(), "alexnet.safetensors")
    ended = cli(
        "experiment=downsampling", "model=alexnet", "dataset=imagenet", "dataset.root=imagenet",
        "model.checkpoint=alexnet.safetensors", "run.output_root=outputs",
        "run.accuracy_images=2", "experiment.samples=2", "experiment.sizes=[100]",
        "experiment.factors=[1,10]", "experiment.spanning=2", "experiment.confined=1", "run.download=false", "run.batch_size=2",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    table, _ = outcome()
    assert set(table["size"]) == {224, 100}
    assert set(table["attack"]) == {"transfer", "random", "white_box", "confined", "confined_original"}
    full = table[(table["size"] == 224) & (table["attack"] == "transfer")]
    assert (full["prediction"] != full["clean_prediction"]).all()
    assert (table["dimensions"] == 3 * table["size"] ** 2).all()
