"""What figure and summary of `downsampling` read off its rows."""

from __future__ import annotations

import math
from typing import Any

from advlab.lab import Frame


def fooled(rows: Frame) -> Any:
    """Whether the prediction is another than that of the resampled image, a series by sample."""
    return (rows["prediction"] != rows["clean_prediction"]).set_axis(rows["sample"])


def perturbed(rows: Frame, attack: str, factor: float = 1.0) -> Frame:
    """The rows of one attack at one factor."""
    return rows[(rows["attack"] == attack) & (rows["factor"] == factor)]


def minimal_norms(rows: Frame) -> Any:
    """The norms of DeepFool's perturbations by sample, before resampling; infinite where it found none."""
    return rows["norm"].where(rows["found"], math.inf).set_axis(rows["sample"])
