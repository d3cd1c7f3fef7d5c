"""The example with stages: what it counts against the same steps by hand, and that stages are made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from advlab import testing
from advlab.attacks import FGS, FGV
from advlab.config import components
from advlab.errors import ConfigError
from tests.helpers.commands import Ended

RUNS = Path("outputs/undone_attacks/digits-small_net")


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4))


def test_rows_are_those_of_the_steps_by_hand(loaded: Callable[[str], None]) -> None:
    loaded("stages")
    images = (torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 255).round() / 255
    labels = linear()(images).argmax(1)
    labels[0] = (labels[0] + 1) % 4  # one that is wrong before, and is not attacked
    options = {"experiment.attacks": ["fgs", "fgv"], "experiment.defenses": ["none", "round"]}
    table = testing.measured(testing.context("undone_attacks", linear(), images, labels, options))
    for name, attack in {"fgs": FGS(discrete=True), "fgv": FGV(discrete=True)}.items():
        result = attack(linear().eval(), images, labels)
        fooled = sorted(result.success.nonzero()[:, 0].tolist())
        assert 20 < len(fooled) < 30
        levels = {"none": result.adv, "round": (result.adv * 255).round() / 255}
        for defense, adv in levels.items():
            rows = table[(table["attack"] == name) & (table["defense"] == defense)].sort_values("sample")
            assert rows["sample"].tolist() == fooled
            assert rows["prediction"].tolist() == linear()(adv).argmax(1)[fooled].tolist()
            change = (result.adv - images).abs().flatten(1).amax(1)[fooled]
            assert rows["linf"].tolist() == pytest.approx(change.tolist(), abs=1e-6)
    none = table[table["defense"] == "none"]
    assert (none["prediction"] != none["label"]).all()  # what fooled the network fools it again


def test_verdicts(loaded: Callable[[str], None]) -> None:
    loaded("stages")
    cls = components.REGISTRIES["experiment"].load("undone_attacks")
    experiment = cls(cls.Params(attacks=["fgs"], defenses=["a", "b", "c", "d"]))
    right = {"a": 90, "b": 50, "c": 10}
    table = pd.DataFrame(
        [
            {"attack": "fgs", "defense": name, "sample": i, "label": 1, "prediction": int(i < count), "linf": 0.1}
            for name, count in right.items() for i in range(100)
        ]
    ).assign(run="test")  # fmt: skip
    assert [claim.verdict for claim in experiment.claims(table)] == [
        "holds",
        "undecided",
        "does not hold",
        "not measured",
    ]
    assert experiment.summary(table)["estimate"].tolist() == [0.9, 0.5, 0.1]
    for drawn in (table, table[:0]):
        assert experiment.plot(drawn).axes


@pytest.mark.parametrize("attack", ["none", "uap", "fooling"])
def test_attacks_that_do_not_fit_are_refused(attack: str, loaded: Callable[[str], None]) -> None:
    loaded("stages")
    with pytest.raises(
        ConfigError, match=f"experiment.attacks={attack}: undone_attacks needs attacks on single images"
    ):
        testing.settings_of("undone_attacks", {"experiment.attacks": [attack]})


def test_other_defenses_share_the_stages_and_other_images_do_not(
    plugin: Callable[..., list[str]], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    line = [
        *plugin("stages", "model"), "experiment=undone_attacks", "model=small_net", "recipe=lenet_digits", "recipe.epochs=3",
        "run.preset=tiny", f"run.cache_root={tmp_path / 'cache'}",
    ]  # fmt: skip
    dry = cli(*line, "run.dry=true")
    assert dry.code == 0, dry.err
    assert "stage      deepfool: " in dry.out
    assert cli(*line, "experiment.attacks=[fgs]", "experiment.defenses=[blur]").code == 0
    for number, (word, state) in enumerate(
        [("experiment.defenses=[round]", "kept from before"), ("experiment.samples=10", "made")], 2
    ):
        assert cli(*line, "experiment.attacks=[fgs]", word).code == 0
        log = (tmp_path / RUNS / f"v{number:03d}" / "log.txt").read_text()
        assert f"stage fgs: {state}" in log
