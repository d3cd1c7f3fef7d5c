"""What figure 5 of barati2021 says of a table: claims, summary and curves, on made-up accuracies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from advlab.config import components

HardPointTraining = components.REGISTRIES["experiment"].load("hard_point_training")


def curve(clean: float, slope: float) -> Any:
    return lambda epsilon: max(0.0, clean - slope * epsilon)


def made_up(curves: dict[tuple[str, str, str], Any], seeds: int = 6) -> pd.DataFrame:
    """A table of (victim, source, attack) -> accuracy as a function of epsilon."""
    lines = []
    for seed in range(seeds):
        for (victim, source, attack), accuracy in curves.items():
            for epsilon in (0.0, 1.0, 2.0, 3.0):
                right = round(10_000 * accuracy(epsilon)) - seed
                lines.append({"run": "mlp on toy", "seed": seed, "victim": victim, "source": source, "attack": attack,
                              "epsilon": epsilon, "length": epsilon, "images": 10_000, "correct": max(0, right),
                              "ascent": "5 x 0.5", "reach": 1.0, "weights": "0"})  # fmt: skip
    return pd.DataFrame(lines)


def picture(robust: float, *, clean: float = 0.97, to_reference: float = 0.25, from_reference: float = 0.05) -> Any:
    """Slopes of accuracy: the reference falls by .3 an epsilon, the robust network by `robust`."""
    return {
        ("reference", "reference", "one_step"): curve(0.98, 0.3),
        ("hard", "hard", "one_step"): curve(clean, robust),
        ("reference", "hard", "one_step"): curve(0.98, to_reference),
        ("hard", "reference", "one_step"): curve(clean, from_reference),
        ("reference", "none", "noise"): curve(0.98, 0.01),
        ("hard", "none", "noise"): curve(clean, 0.01),
        **{(name, name, "one_step"): curve(0.965, 0.3) for name in ("third", "noise", "pgd")},
        **{(name, name, "pgd"): curve(0.965, 0.3) for name in ("reference", "third", "noise", "pgd")},
        **{
            (name, name, "one_step_clipped"): curve(0.965, 0.2)
            for name in ("reference", "third", "noise", "hard", "pgd")
        },
        ("hard", "hard", "pgd"): curve(clean, robust),
    }


def verdicts(table: pd.DataFrame) -> dict[str, str]:
    return {c.claim: c.verdict for c in HardPointTraining(HardPointTraining.Params()).claims(table)}


def test_claims_hold_on_the_papers_picture() -> None:
    assert set(verdicts(made_up(picture(0.15))).values()) == {"holds"}
    assert set(verdicts(made_up(picture(0.15), seeds=5)).values()) == {"undecided"}


def test_a_defence_that_does_nothing_fails() -> None:
    """The robust network is the clean third: as the reference under attack, and transfer goes both ways."""
    found = verdicts(made_up(picture(0.32, to_reference=0.28, from_reference=0.28)))
    assert found["comparable"] == "holds"
    failing = {
        "robust-direct",
        "robust-transfer",
        "not-vice-versa",
        "above-third",
        "above-noise",
        "above-pgd",
        "pgd-above-pgd",
    }
    assert {name for name, verdict in found.items() if verdict == "does not hold"} == failing


def test_each_statement_can_fail_alone() -> None:
    assert verdicts(made_up(picture(0.15, clean=0.90)))["comparable"] == "does not hold"
    found = verdicts(made_up(picture(0.15, to_reference=0.009, from_reference=0.0)))
    assert found["transfers-to-reference"] == "does not hold"
    assert found["beyond-noise"] == "does not hold"


def test_numbers_of_the_summary() -> None:
    experiment = HardPointTraining(HardPointTraining.Params())
    summary = experiment.summary(made_up(picture(0.15))).set_index("network")
    assert summary.loc["hard", "clean"] == pytest.approx(0.97 - 0.00025)
    assert summary.loc["hard", "one_step"] == pytest.approx(np.mean([0.82, 0.67, 0.52]) - 0.00025)
    assert summary.loc["hard", "one_step_clipped"] == pytest.approx(np.mean([0.765, 0.565, 0.365]) - 0.00025)
    assert summary.loc["hard", "reach"] == 1
    assert summary.loc["hard", "reference_on_its_images"] == pytest.approx(np.mean([0.73, 0.48, 0.23]) - 0.00025)
    assert np.isnan(summary.loc["third", "images_of_reference"])


@pytest.mark.parametrize("runs", [1, 2])
def test_the_figure(runs: int) -> None:
    table = pd.concat([made_up(picture(0.15)).assign(run=f"mlp on $toy$ {n}") for n in range(runs)])
    figure = HardPointTraining(HardPointTraining.Params()).plot(table)
    figure.canvas.draw()
    axes: list[Any] = list(figure.axes)
    assert len(axes) == 3 * runs
    for n in range(runs):
        assert [len(axis.lines) for axis in axes[3 * n : 3 * n + 3]] == [4, 6, 10]


def test_a_panel_of_the_figure_ends_where_its_networks_no_longer_differ() -> None:
    """All but the PGD-trained network are at 0 from 1 on, and that one from 2 on; noise leaves the reference where it was."""
    falls = {name: curve(0.9, 0.9) for name in ("reference", "hard", "third")} | {"pgd": curve(0.9, 0.45)}
    curves = {(name, name, "one_step"): accuracy for name, accuracy in falls.items()}
    curves |= {("reference", "hard", "one_step"): curve(0.9, 0.6), ("hard", "reference", "one_step"): curve(0.9, 0.9)}
    curves |= {(name, name, "pgd"): curve(0.9, 0.9) for name in falls}
    curves |= {("reference", "none", "noise"): curve(0.9, 0.0)}
    figure = HardPointTraining(HardPointTraining.Params()).plot(made_up(curves, seeds=1))
    axes: list[Any] = list(figure.axes)
    assert [axis.get_xlim() for axis in axes] == [(0, 2), (0, 2), (0, 3)]
