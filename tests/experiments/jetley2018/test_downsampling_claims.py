"""What section 4.4 says, judged on made-up tables: where it holds, where it does not, and where nothing can be said."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from advlab import testing
from advlab.statistics import Claim, simultaneous
from experiments.jetley2018.downsampling import DownsamplingRow

EXPERIMENT = testing.settings_of("downsampling", {"experiment.factors": [1.0, 10.0]}).experiment
COUNT = 400


def row(sample: int, size: int, attack: str, factor: float, **columns: Any) -> dict[str, Any]:
    """A row about an image of class 0 that is classified right and not fooled."""
    usual = DownsamplingRow(
        sample=sample, size=size, attack=attack, factor=factor, label=0, clean_prediction=0, prediction=0, found=True,
        image_norm=10.0, norm=0.01 * (1 + sample / COUNT), resampled_norm=0.008, dimensions=size**2, directions=0,
    )  # fmt: skip
    return vars(usual) | columns


def table(**kinds: Any) -> pd.DataFrame:
    """A table of the sizes 28 and 12, in which the paper is right; `kinds` change the columns at 12 px of an attack and factor.

    Args:
        kinds: `transfer_10=function of the sample` and the like, gives columns.
    """
    rows = []
    for sample in range(COUNT):
        for size in (28, 12):
            for factor in (1.0, 10.0):
                fooled = size == 28 or factor == 10 or sample % 5 == 0
                usual: dict[str, dict[str, Any]] = {
                    "transfer": {"prediction": int(fooled), "resampled_norm": 0.008 * factor},
                    "random": {"prediction": int(factor == 10 and sample % 10 == 0)},
                }
                if size == 12 and sample % 10 == 1:  # resampling makes these wrong
                    usual["transfer"] = {"clean_prediction": 2, "prediction": 1 if fooled else 2}
                    usual["random"] = {"clean_prediction": 2, "prediction": 2}
                for attack, columns in usual.items():
                    changed = kinds.get(f"{attack}_{factor:g}", lambda _: {})(sample) if size == 12 else {}
                    rows.append(row(sample, size, attack, factor, **(columns | changed)))
        confined = {"prediction": 1, "directions": 144}
        for attack, columns in (
            ("white_box", {"prediction": 1}),
            ("confined", confined),
            ("confined_original", confined),
        ):
            rows.append(row(sample, 12, attack, 1.0, **(columns | kinds.get(attack, lambda _: {})(sample))))
    return pd.DataFrame(rows)


def judged(rows: pd.DataFrame) -> dict[str, Claim]:
    claims = simultaneous(EXPERIMENT.claims(rows))
    assert {claim.subset for claim in claims} == {"12 of 28 px"}
    return {claim.claim: claim for claim in claims}


def test_where_the_paper_is_right_everything_holds() -> None:
    claims = judged(table())
    assert {name: claim.verdict for name, claim in claims.items()} == dict.fromkeys(claims, "holds")
    assert set(claims) == {
        "accuracy-falls", "grows-with-f", "f-restores", "restored", "imperceptible", "above-random", "white-box", "confined",
        "confined-transfers",
    }  # fmt: skip
    assert claims["restored"].estimate == 1
    assert claims["white-box"].estimate == pytest.approx(1)


@pytest.mark.parametrize(
    ("claim", "kinds", "verdict"),
    [
        ("restored", {"transfer_10": lambda i: {"prediction": int(i % 2)}}, "does not hold"),
        ("restored", {"transfer_10": lambda i: {"prediction": int(i % 7 > 0)}}, "undecided"),
        ("grows-with-f", {"transfer_10": lambda i: {"prediction": int(i % 10 > 0)}}, "does not hold"),
        ("f-restores", {"transfer_10": lambda i: {"prediction": 0, "clean_prediction": 0}}, "does not hold"),
        ("imperceptible", {"transfer_10": lambda i: {"resampled_norm": 0.3 + i / 1e4}}, "does not hold"),
        ("above-random", {"random_10": lambda i: {"prediction": 1}, "transfer_10": lambda i: {"prediction": 0}}, "does not hold"),
        ("accuracy-falls", {"transfer_10": lambda i: {"clean_prediction": 0, "prediction": 1}}, "not measured"),
        ("white-box", {"white_box": lambda i: {"norm": 0.02 * (1 + i / COUNT)}}, "does not hold"),
        ("white-box", {"white_box": lambda i: {"found": i % 3 == 0}}, "does not hold"),
        ("confined", {"confined_original": lambda i: {"norm": 0.02 * (1 + i / COUNT)}}, "does not hold"),
        ("confined-transfers", {"confined_original": lambda i: {"prediction": 0}}, "does not hold"),
    ],
)  # fmt: skip
def test_where_it_is_not(claim: str, kinds: dict[str, Any], verdict: str) -> None:
    assert judged(table(**kinds))[claim].verdict == verdict


def test_a_span_that_is_not_all_of_the_space_judges_nothing() -> None:
    few = table(confined_original=lambda _: {"directions": 143})
    assert not {name for name in judged(few) if name.startswith("confined")}
    without = table()
    assert "white-box" in judged(without[~without["attack"].str.startswith("confined")])


def test_the_summary_is_table_1() -> None:
    summary = EXPERIMENT.summary(table().assign(run="a")).set_index("size")
    assert list(summary.index) == [28, 12]
    line = summary.loc[12]
    assert line["accuracy"] == pytest.approx(0.9)
    assert line["fooled_1"] == pytest.approx(0.2)
    assert line["fooled_10"] == 1
    assert line["random_10"] == pytest.approx(0.1)
    assert line["white_box_ratio"] == pytest.approx(1)
    assert line["dimensions"] == 144
    assert pd.isna(summary.loc[28, "white_box_norm"])
