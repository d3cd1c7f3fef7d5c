"""A user's own defense that is fitted to the training images: from the command line, kept, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import advlab
from advlab.config import components
from advlab.config.schema import construct
from advlab.defenses import Blur, Chain
from advlab.errors import ArgumentError, ConfigError
from advlab.plugins.names import registered_choices
from tests.helpers.commands import Ended

CENTRED = """
from pathlib import Path

import torch
import advlab

def middle(images, classifier):
    with (Path(__file__).parent / "fits.txt").open("a") as file:
        print(images.split, classifier.is_defended, file=file)
    return {"mean": images.mean_image(), "number": torch.tensor([len(images)])}

@advlab.defense("centred", fit=middle)
def centred(images, *, fitted, factor: float = 0.5):
    assert fitted["mean"].dtype == images.dtype
    assert fitted["number"].tolist() == [1437]
    return fitted["mean"] + factor * (images - fitted["mean"])
"""
LINE = ["experiment=attack_survey", "attack=fgs", "recipe.epochs=2", "run.preset=tiny"]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Makes a defense as a configuration does; what a test registers is gone after it."""
    monkeypatch.setattr(components.REGISTRIES["defense"], "_targets", dict(components.REGISTRIES["defense"]._targets))
    yield lambda name: construct(components.REGISTRIES["defense"].load(name), {}, "defense")
    registered_choices.pop(("defense", "fitted_test"), None)


def test_from_the_command_line(tmp_path: Path, cli: Callable[..., Ended]) -> None:
    plugin, fits = tmp_path / "centred.py", tmp_path / "fits.txt"
    plugin.write_text(CENTRED)
    line = ["--plugin", str(plugin), *LINE, "defense=centred"]
    dry = cli(*line, "run.dry=true")
    assert dry.code == 0, dry.err
    assert "centred: is fitted to the training images first" in dry.out
    assert not fits.exists()
    for factor in ("0.5", "0.9"):
        ended = cli(*line, f"defense.factor={factor}")
        assert ended.code == 0, ended.err
    assert fits.read_text() == "train False\n" * 2
    again = cli(*line, "defense.factor=0.9", "run.seed=0")
    assert again.code == 0, again.err
    assert len(fits.read_text().splitlines()) == 2  # kept
    assert "centred: fitted, kept from before" in cli(*line, "run.dry=true").out
    listed = cli("describe", "centred", "--plugin", str(plugin)).out
    assert "factor = 0.5" in listed
    assert "fitted" not in listed.replace("fitted to", "")


def test_in_python(made: Callable[[str], Any]) -> None:
    calls: list[Any] = []

    def fit(images: Any, classifier: Any) -> dict[str, Tensor]:
        calls.append((images, classifier))
        return {"offset": torch.tensor(0.25, dtype=torch.float64), "count": torch.tensor(3)}

    @advlab.defense("fitted_test", rejects=True, fit=fit)
    def moved(network: Callable[[Tensor], Tensor], images: Tensor, *, fitted: dict[str, Tensor]) -> Tensor:
        assert fitted["offset"].dtype == images.dtype
        assert fitted["count"].dtype == torch.int64
        logits = network(images + fitted["offset"])
        return torch.cat([logits, logits.amin(1, keepdim=True) - 1], 1)

    defense, x = made("fitted_test"), torch.rand(2, 1, 2, 2)
    with pytest.raises(ArgumentError, match="fitted_test must be fitted first"):
        defense(nn.Flatten())
    network = nn.Flatten()
    defended = defense(network, fitted=defense.fit("images", network))
    assert calls == [("images", network)]
    assert torch.equal(defended(x)[:, :4], x.flatten(1) + 0.25)
    chain = Chain(of=(Blur(), defense))
    assert chain.needs_fit
    assert chain.fit_digest == defense.fit_digest != ""
    assert chain(network, fitted=chain.fit("images", network)).rejects  # type: ignore[arg-type]  # it only hands it on


def test_what_is_refused(made: Callable[[str], Any]) -> None:
    with pytest.raises(ConfigError, match="must have a parameter `fitted`"):
        advlab.defense("fitted_test", fit=lambda images, classifier: {})(lambda images: images)
    advlab.defense("fitted_test", fit=lambda images, classifier: {"a": 1})(lambda images, fitted: images)
    with pytest.raises(ArgumentError, match=r"fitted_test must return a dict of tensors, it returned \{'a': 1\}"):
        made("fitted_test").fit(None, None)
