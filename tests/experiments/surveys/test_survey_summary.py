"""What the survey of attacks says of a table: rates, the paper's claim, and the curves of its figure."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from advlab.attacks import Library
from advlab.config import components
from advlab.plotting.style import style
from advlab.statistics.intervals import share_interval

attack_label = importlib.import_module("advlab.experiments.surveys.survey_summary").attack_label
Survey = components.REGISTRIES["experiment"].load("attack_survey")


def made_up(**changes: Any) -> pd.DataFrame:
    """Eight images: two ineligible, four successes of growing size, two failures; and a second victim."""
    rows = [
        {
            "sample": i, "attack": "fgs", "target": -1, "victim": "self", "label": 0, "minimal": True, "eligible": i < 6,
            "status": "success" if i < 4 else "zero_gradient" if i == 4 else "max_iter" if i == 5 else "ineligible",
            "success": i < 4, "l1": 10.0 * i, "l2": 1.0 * i, "linf": 0.1 * i, "pass_score": 1 - 0.1 * i, "ssim": 0.5,
            "steps": i, "forwards": 3.0, "backwards": 1.0, "run": "fgs: toy", **changes,
        }
        for i in range(8)
    ]  # fmt: skip
    rows += [{**row, "victim": "mlp", "eligible": row["sample"] > 0, "success": row["sample"] > 2} for row in rows[:4]]
    return pd.DataFrame(rows)


def test_the_summary_gives_rates_with_both_denominators() -> None:
    (line,) = Survey(Survey.Params()).summary(made_up()).to_dict("records")
    assert (line["images"], line["eligible"], line["successes"]) == (8, 6, 4)
    assert "saturated_share" not in line  # a table of version 0.1
    frame = made_up()
    frame["saturated"] = frame["sample"] < 3
    assert Survey(Survey.Params()).summary(frame)["saturated_share"].tolist() == [0.5]  # of the eligible
    share = share_interval([True] * 4 + [False] * 2)
    assert [line["success_rate"], line["success_low"], line["success_high"]] == list(share[:3])
    assert line["success_of_all"] == 0.5
    assert (line["mean_l2"], line["median_l2"], line["mean_pass_score"]) == (1.5, 1.5, pytest.approx(0.85))
    assert line["failures"] == "1 max_iter, 1 zero_gradient"
    assert (line["forwards_per_image"], line["backwards_per_image"], line["mean_steps"]) == (3.0, 1.0, 2.5)
    assert (line["transfer_mlp"], line["transfer_mlp_eligible"]) == (pytest.approx(1 / 3), 3)


def test_robust_accuracy_is_of_all_images() -> None:
    """Of 8 images 6 are right and 4 of them are lost: 2 withstand, a quarter of all, where 1 - success_rate is a third."""
    fixed = made_up(minimal=False)
    fixed["correct"] = fixed["eligible"].astype(float)
    (line,) = Survey(Survey.Params()).summary(fixed).to_dict("records")
    share = share_interval([True] * 2 + [False] * 6)
    assert [line["robust_accuracy"], line["robust_low"], line["robust_high"]] == list(share[:3])
    assert (line["accuracy"], line["robust_accuracy"]) == (0.75, 0.25)
    assert 1 - line["success_rate"] == pytest.approx(1 / 3)
    for undefined in (fixed.assign(minimal=True), fixed.assign(target=1)):
        (line,) = Survey(Survey.Params()).summary(undefined).to_dict("records")
        assert line["accuracy"] == 0.75
        assert math.isnan(line["robust_accuracy"])
    for unknown in (made_up(minimal=False), fixed.assign(correct=math.nan)):  # older tables, and fooling
        assert "robust_accuracy" not in Survey(Survey.Params()).summary(unknown)


def test_targets_of_one_sample_are_no_samples_of_transfer_and_rounding() -> None:
    """Nine targets an image that all do the same say no more than one: the intervals are those over images."""
    one = made_up(survives_rounding=1.0)
    nine = pd.concat([one.assign(target=target) for target in range(9)])
    lines = [Survey(Survey.Params()).summary(table).iloc[0] for table in (one, nine)]
    for name in (
        "success_low",
        "success_high",
        "transfer_mlp_low",
        "transfer_mlp_high",
        "survival_low",
        "survival_high",
    ):
        assert lines[0][name] == lines[1][name]
    assert [line["transfer_mlp_eligible"] for line in lines] == [3, 27]
    assert [line["survive_rounding"] for line in lines] == [4, 36]


def test_runs_are_summed_up_one_by_one() -> None:
    both = pd.concat([made_up(), made_up(attack="pgd", run="pgd: toy", success=False)])
    lines = Survey(Survey.Params()).summary(both)
    assert list(lines["attack"]) == ["fgs", "pgd"]
    assert list(lines["successes"]) == [4, 0]
    assert math.isnan(lines["mean_l2"].iloc[1])


@pytest.mark.parametrize(
    ("attack", "rate", "verdicts"),
    [
        ("hot_cold (hot=0)", 0.999, ["holds"]),
        ("hot_cold (hot=0)", 0.8, ["does not hold"]),
        ("hot_cold", 0.999, []),
        ("fgs", 0.999, []),
    ],
)
def test_the_claim_is_the_papers_about_hot_cold_alone(attack: str, rate: float, verdicts: list[str]) -> None:
    n = 1000
    frame = pd.DataFrame(
        {
            "victim": "self",
            "attack": attack,
            "eligible": True,
            "success": np.arange(n) < rate * n,
            "sample": np.arange(n),
        }
    )
    assert [claim.verdict for claim in Survey(Survey.Params()).claims(frame)] == verdicts


def hot_cold(samples: int, targets: int) -> pd.DataFrame:
    """All targets of all samples but the last reached."""
    return pd.DataFrame(
        [
            {"victim": "self", "attack": "hot_cold (hot=0)", "eligible": True, "success": i < samples - 1, "sample": i}
            for i in range(samples) for _ in range(targets)
        ]
    )  # fmt: skip


def test_in_almost_all_cases_is_not_shown_by_a_few() -> None:
    """29 of 30 are more than 95 % of the samples at hand, and no evidence that it is so of all."""
    (claim,) = Survey(Survey.Params()).claims(hot_cold(30, 1))
    assert claim.estimate > 0.95
    assert claim.verdict == "undecided"


def test_targets_of_one_sample_are_no_samples() -> None:
    (claim,) = Survey(Survey.Params()).claims(hot_cold(30, 9))
    assert (claim.samples, claim.low) == (30, share_interval([True] * 29 + [False]).low)


def test_the_curve_is_the_share_at_most_so_large() -> None:
    frame = pd.concat([made_up(), made_up(attack="pgd", run="pgd: toy", minimal=False)])
    figure = Survey(Survey.Params()).plot(frame)
    l2, linf, dissimilar = figure.axes
    curve, point = l2.get_lines()
    for r in (0.0, 0.5, 1.0, 2.5, 3.0):
        wanted = sum(i <= r for i in range(4)) / 6
        xs, ys = (np.asarray(values, float) for values in curve.get_data())
        assert ys[xs <= r].max() == pytest.approx(wanted), r
    assert [float(v[0]) for v in point.get_data()] == [3.0, pytest.approx(4 / 6)]  # the median over eligible images
    assert linf.get_lines()[0].get_xdata()[-2] == pytest.approx(0.3)
    assert dissimilar.get_lines()[0].get_xdata()[-2] == pytest.approx(0.3)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["fgs: 4 of 6", "pgd: 4 of 6"]


def test_curves_that_coincide_are_both_seen() -> None:
    """The one that is drawn later is narrower, and has other dashes."""
    names = ("fgs", "fgv", "hc", "hc1")
    figure = Survey(Survey.Params()).plot(pd.concat([made_up(attack=name, run=f"{name}: toy") for name in names]))
    for axis in figure.axes:
        lines = axis.get_lines()
        widths = [line.get_linewidth() for line in lines]
        assert len({line.get_linestyle() for line in lines}) == len({line.get_color() for line in lines}) == 4
        assert widths == sorted(set(widths), reverse=True)
        assert len(widths) == 4
    points = [made_up(attack=name, run=f"{name}: toy", minimal=False) for name in names]
    for axis in Survey(Survey.Params()).plot(pd.concat(points)).axes:
        sizes = [line.get_markersize() for line in axis.get_lines()]
        assert sizes == sorted(set(sizes), reverse=True)
        assert {line.get_fillstyle() for line in axis.get_lines()} == {"none"}


def test_no_two_of_many_curves_share_a_colour_and_dashes_and_no_two_points_a_marker() -> None:
    names = [f"a{n}" for n in range(50)]
    curves = Survey(Survey.Params()).plot(pd.concat([made_up(attack=name, run=f"{name}: toy") for name in names]))
    lines = curves.axes[0].get_lines()
    assert len({(line.get_color(), str(line._unscaled_dash_pattern)) for line in lines}) == 50  # type: ignore[attr-defined]
    points = [made_up(attack=name, run=f"{name}: toy", minimal=False) for name in names]
    lines = Survey(Survey.Params()).plot(pd.concat(points)).axes[0].get_lines()
    assert len({(line.get_color(), str(line.get_marker())) for line in lines}) == 50


def test_an_attack_of_a_library_is_called_by_its_options() -> None:
    attack = Library(library="art", attack="DeepFool", options={"max_iter": 5, "verbose": True}, options_for="DeepFool")
    assert attack_label("library", attack) == "library (library=art, attack=DeepFool, max_iter=5, verbose)"


def test_long_labels_are_not_cut() -> None:
    """They stand one below the other, within the figure."""
    runs = [f"fgs: toy with blur+noise+round+project, option={n}, another_long_option=0.125" for n in (0, 1)]
    figure = Survey(Survey.Params()).plot(pd.concat([made_up(run=run) for run in runs]))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [f"fgs, option={n}, another_long_option=0.125: 4 of 6" for n in (0, 1)]
    runs = [run.replace("toy with", f"toy{n} with") for n, run in enumerate(runs)]
    runs[1] = runs[1].replace("blur", "shift")
    with style():
        figure = Survey(Survey.Params()).plot(pd.concat([made_up(run=run) for run in runs]))
        figure.draw_without_rendering()
        texts, box = figure.legends[0].get_texts(), figure.legends[0].get_window_extent()
    assert max(len(text.get_text()) for text in texts) > 80
    assert not any("…" in text.get_text() for text in texts)
    assert len({text.get_window_extent().x0 for text in texts}) == 1
    assert figure.bbox.x0 <= box.x0
    assert box.x1 <= figure.bbox.x1


def test_a_figure_without_any_success_is_drawn() -> None:
    Survey(Survey.Params()).plot(made_up(success=False))
    Survey(Survey.Params()).plot(made_up(success=False, eligible=False))
