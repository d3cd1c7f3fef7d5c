"""Norms of confined DeepFool and of projected images, with sample images: figure 5 of jetley2018."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.gallery import empty_tile, look
from advlab.plotting.pixels import decode, show
from advlab.plotting.style import LINES, literal, narrow, width

from .deepfool_svd import LOOKS

CONFINED, PROJECTED = LINES[0], LINES[1]  # blue and red, as in the paper's figure
TITLES = {"hi": r"confined to $S_\mathrm{hi}$", "lo": r"confined to $S_\mathrm{lo}$", "random": "random directions"}
SHARES = {"hi": LINES[2], "lo": LINES[3], "random": LINES[6]}  # colours of subspaces where blue and red are norms
PICTURES = {"perturbation": CONFINED, "projection": PROJECTED}
SIDE = 0.52  # inches: a sample image with the space around it, on a page


def confined_norms(table: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """For each run: norms against d on S_hi, S_lo and random directions, the share of successes, and sample images.

    Args:
        table: rows of `confined_deepfool` with a `run` column.
        summary: of the same table.
    """
    runs = list(dict.fromkeys(table["run"]))
    blocks = [gallery_blocks(table[table["run"] == run]) for run in runs]
    panels = 5.2 if narrow() else 3.6
    heights = []
    for of_run in blocks:
        heights += [panels, gallery_height(of_run)] if of_run else [panels]
    figure = Figure(figsize=(width(), sum(heights) + 0.45), layout="constrained")
    parts = iter(np.atleast_1d(np.asarray(figure.subfigures(len(heights), 1, height_ratios=heights))).tolist())
    handles: dict[str, Any] = {}
    for run, of_run in zip(runs, blocks, strict=True):
        part = next(parts)
        part.suptitle(literal(str(run), 44 if narrow() else 80), fontsize=8)
        draw_panels(part, summary[summary["run"] == run], handles)
        if of_run:
            draw_gallery(next(parts), of_run)
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=2 if narrow() else 4, frameon=False
    )
    return figure


def draw_panels(part: Any, summary: pd.DataFrame, handles: dict[str, Any]) -> None:
    """Three panels of norms with common axes, and one with the share of successes."""
    grid = part.subplots(4, 1, sharex=True) if narrow() else part.subplots(2, 2, sharex=True)
    axes = list(grid.flat)
    plain = summary[summary["subspace"] == "whole"]
    for axis, (subspace, title) in zip(axes[:3], TITLES.items(), strict=True):
        points = summary[summary["subspace"] == subspace].sort_values("d").replace(np.inf, np.nan)
        for column, colour, line, label in (
            ("mean", CONFINED, "-", "mean norm"),
            ("median", CONFINED, "--", "median norm"),
            ("projected", PROJECTED, "-", "projected images"),
        ):
            (handles[label],) = axis.plot(
                points["d"], points[column], line, color=colour, marker="o" if line == "-" else None, markersize=2.5
            )
        for value in plain["median"].replace(np.inf, np.nan).dropna():
            handles["plain DeepFool"] = axis.axhline(value, color="#777777", linestyle=":", linewidth=0.9)
        axis.set_yscale("log")
        axis.set_title(title)
        axis.set_ylabel("$L_2$ norm")
    norms = summary[["mean", "median", "projected"]].to_numpy().ravel()
    norms = norms[np.isfinite(norms) & (norms > 0)]
    for axis in axes[:3] if len(norms) else []:
        axis.set_ylim(norms.min() / 1.5, norms.max() * 1.5)
    for subspace, (_, marker, line, label) in LOOKS.items():
        points = summary[summary["subspace"] == subspace].sort_values("d")
        axes[3].plot(
            points["d"], points["success"], line, color=SHARES[subspace], marker=marker, markersize=2.5, label=label
        )
    axes[3].legend(loc="center right", frameon=False)
    axes[3].set_title("success, not capped")
    axes[3].set_ylabel("share")
    axes[3].set_ylim(-0.05, 1.05)
    for axis in axes[3:] if narrow() else axes[2:]:
        axis.set_xlabel("directions $d$")


def gallery_blocks(table: pd.DataFrame) -> list[pd.DataFrame]:
    """The drawn images of a run: of each sample the rows on S_hi and S_lo by d, in one block on a page, or else in two."""
    drawn = table[table["projection"].map(lambda text: isinstance(text, str) and bool(text))]
    blocks = []
    for _, rows in drawn.groupby("sample", sort=False):
        pair = [rows[rows["subspace"] == subspace].sort_values("d") for subspace in ("hi", "lo")]
        blocks += pair if narrow() else [pd.concat(pair)]
    return [block for block in blocks if len(block)]


def gallery_height(blocks: list[pd.DataFrame]) -> float:
    """Inches that the blocks take."""
    return len(blocks) * (2 * SIDE * (1.1 if narrow() else 1.15) + 0.35)


def draw_gallery(part: Any, blocks: list[pd.DataFrame]) -> None:
    """A column for each subspace and d: the perturbation above the projected image, in the colours of the curves."""
    columns = max(map(len, blocks))
    grid = part.subplots(2 * len(blocks), columns, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    for block, axes in zip(blocks, grid.reshape(len(blocks), 2, columns), strict=True):
        for column, (_, row) in enumerate(block.iterrows()):
            for axis, (kind, colour) in zip(axes[:, column], PICTURES.items(), strict=True):
                axis.set_axis_on()
                if row["outcome"] != "success" and kind == "perturbation":
                    empty_tile(axis, "capped" if row["outcome"] == "capped" else "failed")
                    continue
                if isinstance(row[kind], str) and row[kind]:
                    show(axis, decode(pd.Series({**row.to_dict(), "pixels": row[kind]})))
                for spine in axis.spines.values():
                    spine.set(color=colour, linewidth=1.2)
            sign = {"hi": "hi", "lo": "lo"}[row["subspace"]]
            axes[0, column].set_title(f"{sign} {row['d']}", pad=2, **look())
