"""Numbers by seed of each network and arithmetic of `aliasing`, as its summary and its figure show them."""

from __future__ import annotations

from typing import Any

import numpy as np

from advlab.lab import Frame

from .aliasing_claims import ARITHMETICS, NETWORKS, AliasingNumbers
from .aliasing_similarity import (
    Array,
    between,
    correlation_of_rows,
    overlap_of_histograms,
    overlap_of_rows,
    pseudo_values,
)

#: numbers whose means the summary shows with their intervals
WITH_INTERVALS = ("accuracy", "rate", "minimal", "labels_other", "labels_seeds", "pass_other", "pass_seeds")


def numbers_by_seed(table: Frame) -> dict[tuple[str, str], dict[str, Array]]:
    """(network, arithmetic) -> name -> (S,) numbers, whose mean is the summary's.

    `found` is of all images, `rate` of those that are classified correctly. `labels_other` and `pass_other` are similarities to the
    other network, of other seeds, `labels_seeds` and `pass_seeds` those between two seeds of this one; of labels the correlations
    stand beside the overlaps. `minimal` and shares of energy (`clean_high_LAYER`, ...) are known in the exact arithmetic alone.

    Args:
        table: rows of one run.
    """
    of = AliasingNumbers(table)
    found: dict[tuple[str, str], dict[str, Array]] = {}
    for network, other in zip(NETWORKS, reversed(NETWORKS), strict=True):
        for arithmetic in ARITHMETICS:
            own, others = (of.labels(name, arithmetic) for name in (network, other))
            scores, other_scores = (of.histograms(name, arithmetic) for name in (network, other))
            numbers: dict[str, Array] = {
                "accuracy": of.accuracy(network),
                "found": of.found(network, arithmetic),
                "rate": of.rate(network, arithmetic),
                "length": of.median(network, arithmetic, "length"),
                "pass_score": of.median(network, arithmetic, "pass_score"),
                "minimal": of.median(network, arithmetic, "minimal"),
                "labels_other": pseudo_values(between(overlap_of_rows, own, others)),
                "labels_seeds": pseudo_values(between(overlap_of_rows, own, own)),
                "correlation_other": pseudo_values(between(correlation_of_rows, own, others)),
                "correlation_seeds": pseudo_values(between(correlation_of_rows, own, own)),
                "pass_other": pseudo_values(between(overlap_of_histograms, scores, other_scores)),
                "pass_seeds": pseudo_values(between(overlap_of_histograms, scores, scores)),
            }
            if arithmetic == "exact":
                for layer in of.layers:
                    for column in ("clean_high", "adversarial_high", "change_high"):
                        numbers[f"{column}_{layer}"] = of.high(network, layer, column)
            found[network, arithmetic] = numbers
    return found


def panels_of_figure(table: Frame) -> dict[str, dict[str, dict[Any, Any]]]:
    """What the figure draws of FGV in the exact arithmetic: run -> panel -> network -> numbers.

    `labels`: (K, K) counts and `pass_scores`: (20,) counts, means over seeds; `minimal`: (S,) medians; `spectrum`: layer -> (S,)
    shares of clean and of adversarial images.

    Args:
        table: rows with a `run` column.
    """
    found = {}
    for run, part in table.groupby("run", sort=False):
        of = AliasingNumbers(part)
        found[str(run)] = {
            "labels": {network: np.mean(of.labels(network, "exact"), axis=0) for network in NETWORKS},
            "pass_scores": {network: np.mean(of.histograms(network, "exact"), axis=0) for network in NETWORKS},
            "minimal": {network: of.median(network, "exact", "minimal") for network in NETWORKS},
            "spectrum": {
                network: {
                    layer: (of.high(network, layer, "clean_high"), of.high(network, layer, "adversarial_high"))
                    for layer in of.layers
                }
                for network in NETWORKS
            },
        }
    return found
