"""What gunther2017 expects of training under the perturbation, and the means over seeds, from `preprocessing_training`."""

from __future__ import annotations

from typing import Any

from advlab.lab import Frame, frame_of
from advlab.statistics import Claim, judge, mean_interval

from .adversarial_stages import CLEAN
from .strength_settings import PLAIN, UNCHANGED

QUOTE = (
    'section 2.2: "this decrease in accuracy can be prevented when the original network is trained or fine-tuned using the same '
    'perturbations as applied to the test set images"'
)


def training_claims(params: Any, table: Frame) -> list[Claim]:
    """For each perturbation the accuracy, its control, and for each attack what is corrected; means over seeds.

    Args:
        params: of `PreprocessingTraining`, whose thresholds they are.
        table: of one run.
    """
    claims: list[Claim] = []
    for name in dict.fromkeys(table.loc[table["trained"] != PLAIN, "trained"]):
        own = share_right(table, name, name, CLEAN)
        lost, gained = share_right(table, PLAIN, UNCHANGED, CLEAN) - own, own - share_right(table, PLAIN, name, CLEAN)
        claims.append(
            judge(
                "training-prevents-loss", mean_interval(lost, least=-1, most=1), "<", params.trained_loss,
                subset=str(name), statement=QUOTE,
                quantity="accuracy of the plain network on images as they are, less that of the network trained under the "
                "perturbation behind it, mean over seeds",
            )
        )  # fmt: skip
        claims.append(
            judge(
                "training-gains", mean_interval(gained, least=-1, most=1), ">", 0.0, subset=str(name),
                statement="control: the plain network behind the same perturbation",
                quantity="accuracy behind the perturbation of the network trained under it, less that of the plain network, "
                "mean over seeds",
            )
        )  # fmt: skip
        for images in dict.fromkeys(table.loc[table["images"] != CLEAN, "images"]):
            less = share_right(table, PLAIN, name, images) - share_right(table, name, name, images)
            claims.append(
                judge(
                    "corrects-as-much", mean_interval(less, least=-1, most=1), "<", params.less_corrected,
                    subset=f"{name}, {images}",
                    statement=QUOTE + ", and as many adversarial images are corrected then (ours)",
                    quantity="share of its own adversarial images that the perturbation corrects for the plain network, less that "
                    "for the network trained under it, mean over seeds",
                )
            )  # fmt: skip
    return claims


def share_right(table: Frame, trained: str, shown: str, images: str) -> Frame:
    """(seeds,) share that is right of one kind of images, NaN where there are none; by seed."""
    rows = table[
        (table["trained"] == trained) & (table["shown"].fillna(UNCHANGED) == shown) & (table["images"] == images)
    ]
    rows = rows.set_index("seed")
    return rows["right"] / rows["total"].where(rows["total"] > 0)


def training_summary(table: Frame) -> Frame:
    """A line for each run, network, perturbation and kind of images: means over seeds.

    Columns: `seeds`, the share `right` with `low` and `high` (95 %, bootstrap-t), `success` of the attack and `median_l2` of what
    it found.
    """
    lines: list[dict[str, Any]] = []
    table = table.assign(shown=table["shown"].fillna(UNCHANGED))
    for (run, trained, shown, images), rows in table.groupby(["run", "trained", "shown", "images"], sort=False):
        right = mean_interval(share_right(rows, trained, shown, images), least=0, most=1)
        line = {"run": run, "trained": trained, "shown": shown, "images": images, "seeds": len(rows)}
        line |= {"right": right.estimate, "low": right.low, "high": right.high}
        if images != CLEAN:
            success = (rows["total"] / rows["tried"].where(rows["tried"] > 0)).mean()
            line |= {"success": float(success), "median_l2": float(rows["median_l2"].mean())}
        lines.append(line)
    return frame_of(lines)
