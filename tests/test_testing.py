"""The context of an author's test: what it holds is what a run would hand over, and what does not fit is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import advlab
from advlab import testing
from advlab.attacks import FGS
from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cell, Cost, Experiment, Frame, NetworkContext, RunContext, Stage
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from advlab.statistics import Claim


@dataclass(frozen=True)
class Line:
    index: int
    value: float


class Doubled(Experiment[RunContext]):
    """Twice what a stage makes."""

    name = "doubled"
    paper = "none"
    title = "Doubles"
    uses = ()
    Row = Line

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """Where the stage begins."""

        start: int = 3

    def stages(self, ctx: RunContext) -> list[Stage]:
        import numpy as np

        start = self.params.start
        return [Stage("count", ctx.key(start=start), lambda: ({"values": np.arange(start, start + 3)}, {}))]

    def cells(self, ctx: RunContext) -> list[Cell]:
        return [Cell(f"n-{i}", {"i": i}, stages=("count",)) for i in range(3)]

    def measure(self, ctx: RunContext, cell: Cell) -> list[Line]:
        i = cell.payload["i"]
        return [Line(i, 2.0 * float(ctx.stage("count").arrays["values"][i]))]

    def cost(self, ctx: RunContext) -> Cost:
        return Cost()

    def claims(self, table: Frame) -> list[Claim]:
        return []

    def plot(self, table: Frame) -> Any:
        raise AssertionError("not drawn")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 5))


IMAGES = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


def context(**options: Any) -> NetworkContext:
    ctx: NetworkContext = testing.context("attack_survey", network(), IMAGES, LABELS, {"attack": "fgs", **options})
    return ctx


def test_images_are_rounded_to_grey_levels_and_labels_kept() -> None:
    x, y = context().images_and_labels([4, 1])
    torch.testing.assert_close(x, (IMAGES[[4, 1]] * 255).round() / 255)
    assert y.tolist() == [1, 1]


def test_there_are_as_many_classes_as_logits() -> None:
    assert context().data.classes == ("class 0", "class 1", "class 2", "class 3", "class 4")


def test_the_network_is_that_which_was_given_and_counts_its_forwards() -> None:
    ctx = context()
    x, _ = ctx.images_and_labels(range(6))
    torch.testing.assert_close(ctx.forward(x), network()(x).detach())
    assert ctx.forward.images == 6


def test_it_stands_behind_the_defense_of_the_options() -> None:
    ctx = context(defense={"name": "round", "levels": 3})
    x, y = ctx.images_and_labels(range(6))
    torch.testing.assert_close(ctx.forward(x), network()((x * 2).round() / 2).detach())
    assert ctx.attack(FGS(), x, y).facts["defense"]["gradient"] == "straight-through"


def test_given_networks_stand_for_listed_ones() -> None:
    torch.manual_seed(7)
    other = nn.Sequential(nn.Flatten(), nn.Linear(16, 5))
    options = {"attack": "fgs", "experiment.transfer": ["mlp"]}
    ctx = testing.context("attack_survey", network(), IMAGES, LABELS, options, others={"mlp": other})
    listed = ctx.listed_networks("transfer")
    torch.testing.assert_close(listed["mlp"](IMAGES), other(IMAGES).detach())
    table = testing.measured(ctx)
    assert set(table["victim"]) == {"self", "mlp"}


def test_options_are_groups_and_keys() -> None:
    settings = testing.settings_of("attack_survey", {"attack": "hc1", "attack.discrete": False, "run.seed": 3})
    assert (settings.attack.hot, settings.attack.discrete, settings.run.seed) == (1, False, 3)
    assert testing.settings_of("attack_survey").nodes["attack"]["name"] == "fgs"  # as experiment=attack_survey has it


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prob.trials": 3}, r"the option 'prob.trials' is neither GROUP nor GROUP.KEY. Did you mean probe"),
        ({"trials": 3}, "the option 'trials' is neither"),
        ({"attack.": 3}, "the option 'attack.' is neither"),
        ({"attack.discreet": True}, "Did you mean discrete"),
        ({"attack": "fgz"}, "there is no attack 'fgz'. Did you mean fgv or fgs"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        testing.settings_of("attack_survey", options)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(TypeError, match="attack_survey is handed a NetworkContext: give images and labels"):
        testing.context("attack_survey", network())
    with pytest.raises(TypeError, match="give a network"):
        testing.context("attack_survey", None, IMAGES, LABELS)
    with pytest.raises(TypeError, match="give those to settings_of"):
        testing.context(testing.settings_of("attack_survey"), network(), IMAGES, LABELS, {"run.seed": 1})


@pytest.mark.parametrize("images", [IMAGES * 255, IMAGES - 1, IMAGES * torch.nan])
def test_images_of_another_range_are_refused(images: torch.Tensor) -> None:
    with pytest.raises(ArgumentError, match=r"images must lie in \[0, 1\], got .*divide them by 255"):
        testing.context("attack_survey", network(), images, LABELS)


def test_uint8_images_and_given_forwards_are_taken_as_they_are() -> None:
    classifier = Classifier(network().eval(), name="mine", shape=(1, 4, 4), mean=None, std=None)
    forward = Forward(classifier, Execution(2, "contiguous", "float32"))
    pixels = (IMAGES * 255).byte()
    ctx = testing.context("attack_survey", forward, pixels, LABELS)
    assert ctx.forward is forward
    assert torch.equal(ctx.images_and_labels(range(6))[0], pixels / 255)


def test_stages_are_made_before_cells_and_kept_in_the_folder(tmp_path: Path) -> None:
    advlab.experiment(Doubled)
    table = testing.measured(testing.context(Doubled, options={"experiment.start": 5}, folder=tmp_path))
    assert table.to_dict("list") == {"index": [0, 1, 2], "value": [10.0, 12.0, 14.0], "run": ["test"] * 3}
    assert len(list(tmp_path.glob("doubled-*/[0-9a-f]*"))) == 1


def test_a_class_that_is_not_registered_is_named() -> None:
    with pytest.raises(ConfigError, match=r"doubled is not registered: put @advlab.experiment before class Doubled"):
        testing.context(Doubled)


def test_a_temporary_folder_goes_with_its_context() -> None:
    ctx = context()
    root = ctx.artifacts.root
    assert root.is_dir()
    del ctx
    assert not root.exists()
