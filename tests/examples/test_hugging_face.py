"""The example of a saved Hugging Face classifier: its logits are those of the saved network, and a run goes through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from advlab.config import components
from tests.helpers.classifiers import images
from tests.helpers.classifiers import loaded as load
from tests.helpers.commands import Ended

transformers = pytest.importorskip("transformers", reason="needs pip install transformers")
SHAPE = (3, 32, 32)


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    """A small vision transformer with random weights, saved with its processor below `saved/`."""
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8,
        num_labels=10,
    )  # fmt: skip
    network: Any = transformers.ViTForImageClassification(config).eval()
    network.save_pretrained(tmp_path / "saved")
    processor = transformers.ViTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6]
    )
    processor.save_pretrained(tmp_path / "saved")
    return network


def test_its_logits_are_those_of_the_saved_network(saved: Any, loaded: Callable[[str], None], tmp_path: Path) -> None:
    loaded("hugging_face")
    model = components.REGISTRIES["model"].load("hugging_face")(folder=str(tmp_path / "saved"))
    assert model.shape == SHAPE
    x = images(SHAPE)
    mean, std = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1), torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)
    wanted = saved(pixel_values=(x - mean) / std).logits
    torch.testing.assert_close(load(model, shape=SHAPE).classifier(x), wanted, rtol=1e-4, atol=1e-5)


def test_a_run_from_start_to_end(saved: nn.Module, plugin: Callable[..., list[str]], cli: Callable[..., Ended]) -> None:
    line = [*plugin("hugging_face"), "model=hugging_face", "dataset=digits", "run.preset=tiny", "probe.confidence=0.01"]
    ended = cli(*line, "model.folder=nowhere")
    assert ended.code == 2
    assert "preprocessor_config.json could not be read" in ended.err
    ended = cli(*line, "model.folder=saved")
    assert ended.code == 2
    assert "dataset.size=32 dataset.channels=3" in ended.err
    ended = cli(*line, "model.folder=saved", "dataset.size=32", "dataset.channels=3")
    assert ended.code == 0, ended.err
