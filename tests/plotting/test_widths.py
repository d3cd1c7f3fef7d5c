"""Every experiment draws at both widths: as wide as asked, with readable text that lies on no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from advlab.config.choices import group_choices
from advlab.plotting.style import WIDTHS, style
from advlab.results.compare import compare_runs
from tests.helpers.commands import Ended
from tests.helpers.drawn import faults, smallest, texts
from tests.helpers.long_cases import long_but
from tests.helpers.tiny_runs import OPTIONS, TINY

NAMES = [name for name in group_choices("experiment") if name != "none"]
#: one of each kind: lines on broken axes, boxes, curves, bars of classes, images in rows, lines without axes broken
DRAWN_ALWAYS = ("isotropy", "topology", "class_scores", "curvature", "fooling_grid", "open_set", "suppression")
#: narrower on a page than a page, with one run: they fit a column
NARROWER = {"adversarial_gallery", "first_layer", "fooling_gallery", "fooling_grid", "gradient_penalty", "separability"}
#: columns that can be NaN in some rows, where a network gave no finite numbers or a bound is not known
NOT_ALWAYS_KNOWN = {
    "isotropy": ["range", "mean_score", "noise_floor"],
    "symmetricity": ["range", "mean_score", "noise_floor"],
    "topology": ["mantel_r", "p_value"],
    "lipschitz": ["moved", "least_ratio", "largest_ratio", "jacobian_norm", "ascended_norm", "global_bound"],
    "gradient_isotropy": ["range", "isotropic", "symmetric", "relative_dispersion"],
}
#: with several samples and radii, so that axes are broken as in the paper's figures
SEVERAL = ["probe.samples=3", "probe.radii=[.1,1,5,10,20]"]


def drawn(experiment: Any, table: pd.DataFrame, width: str) -> Any:
    """The figure, with the style of that width."""
    with style(width):
        figure = experiment.plot(table)
        figure.set_dpi(100)
        found = texts(figure)
        assert faults(figure, found) == []
        if width == "column":
            assert smallest(found) >= 8
            assert figure.get_figwidth() == pytest.approx(WIDTHS["column"])
        else:
            assert smallest(found) >= 6
            assert figure.get_figwidth() <= WIDTHS["page"] + 1e-9
    return figure


@pytest.mark.renders
@pytest.mark.parametrize("name", long_but(NAMES, *DRAWN_ALWAYS))
def test_one_run_several_runs_and_rows_of_nan(name: str, cli: Callable[..., Ended]) -> None:
    several = SEVERAL if f"experiment={name}" and "probe.radii=[.1,1]" in OPTIONS[name] else []
    line = [f"experiment={name}", *TINY, *OPTIONS[name], *several, "run.output_root=outputs"]
    ended = cli(*line)
    assert ended.code == 0, ended.err
    (manifest,) = Path("outputs").glob("**/manifest.json")
    compared = compare_runs([manifest.parent])
    experiment, table = compared.experiment, compared.table
    labels = ["lenet with blur+noise on a_dataset_of_some_length, option=0.125, seed=1", "$x$ <b>", "c", "d"]
    first = table["sample"] == table["sample"].iloc[0] if "sample" in table else None
    several_runs = pd.concat([table.assign(run=label) for label in (labels if "norm" in table else labels[:3])])
    pages, columns = [table, several_runs], [table, pd.concat([table.assign(run=label) for label in labels[:2]])]
    if first is not None and name != "symmetry_map":
        columns.append(table[first])
    if {"norm", "pixel_scale"} <= set(table):  # one reading alone, as `probe.norm=[l2] probe.pixel_scale=[1]` gives it
        reading = table[table.groupby(["norm", "pixel_scale"], sort=False).ngroup() == 0]
        pages.append(reading)
        columns.append(reading)
    if name in NOT_ALWAYS_KNOWN:
        partly, never = table.copy(), table.copy()
        partly.loc[first, NOT_ALWAYS_KNOWN[name]] = float("nan")
        never[NOT_ALWAYS_KNOWN[name]] = float("nan")
        pages.append(never)
        columns.append(partly)
    for rows in columns:
        drawn(experiment, rows, "column")
    for rows in pages:
        figure = drawn(experiment, rows, "page")
        if name not in NARROWER and len(figure.axes) > 2:  # one panel, beside its scale, has half of a page
            assert figure.get_figwidth() == pytest.approx(WIDTHS["page"])
