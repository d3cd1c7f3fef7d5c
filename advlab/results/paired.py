"""Paired differences: two runs on the same samples, sample by sample, for each number of their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advlab.statistics import Interval, mean_interval, median_interval
from advlab.store.tables import Frame

SAMPLE = "sample"
CLASSES = ("label", "prediction", "target")  # columns of class indices, of which a difference says nothing


@dataclass(frozen=True)
class PairedDifference:
    """A number of one run less that of another, over the samples that both have.

    Attributes:
        quantity: column of the rows.
        keys: what the rows are about beside the sample, such as the radius.
        statistic: `median`, or of truth values `mean`, which is the difference of two shares.
        interval: of the differences; a unit is a sample.
    """

    quantity: str
    keys: dict[str, Any]
    statistic: str
    interval: Interval


def paired_differences(table: Frame, reference: Frame) -> list[PairedDifference]:
    """What a run has more than its reference, for each number of their rows that differs on any sample.

    Args:
        table: rows of the run, with a column `sample`.
        reference: those of the other, on the same data: equal samples are equal images.
    """
    keys = row_keys([table, reference])
    if SAMPLE not in keys:
        return []
    both = table.merge(reference, on=keys, how="inner", suffixes=("", " of reference"), validate="one_to_one")
    others = [key for key in keys if key != SAMPLE]
    groups = both.groupby(others, sort=False, dropna=False) if others else [((), both)]
    names = [
        name for name in table.columns if name not in keys and is_number(table, name) and is_number(reference, name)
    ]
    differences = []
    for name in names:
        if same(both[name], both[f"{name} of reference"]):
            continue
        truth = table.dtypes[name].kind == "b"
        for values, rows in groups:
            difference = rows[name].astype(float) - rows[f"{name} of reference"].astype(float)
            difference = (
                difference.dropna()
            )  # infinite ones, of what was not found in one of the runs, are beyond all others
            if difference.empty:
                continue
            interval = mean_interval(difference, least=-1, most=1) if truth else median_interval(difference)
            about = dict(zip(others, values, strict=True))
            differences.append(PairedDifference(name, about, "mean" if truth else "median", interval))
    return differences


def row_keys(tables: Sequence[Frame]) -> list[str]:
    """The columns that tell the rows of each table apart, of the first ones as few as do; none where nothing does.

    A column that has one value in each table, as the direction of a probe, is none of them: the runs may differ in it.
    """
    columns = [name for name in tables[0].columns if name != "run" and all(name in table for table in tables)]
    for count in range(1, len(columns) + 1):
        if not any(table.duplicated(columns[:count]).any() for table in tables):
            break
    else:
        return []
    keys = columns[:count]
    for name in reversed(columns[:count]):
        fewer = [key for key in keys if key != name]
        if name != SAMPLE and fewer and not any(table.duplicated(fewer).any() for table in tables):
            keys = fewer
    return keys


def is_number(table: Frame, name: str) -> bool:
    """Whether a column holds numbers or truth values, and no indices of classes."""
    classes = name in CLASSES or name.endswith("_class")
    return name in table and table.dtypes[name].kind in "biuf" and not classes


def same(values: Any, others: Any) -> bool:
    """Whether two columns have the same values, NaN where the other has it."""
    return bool(((values == others) | (values.isna() & others.isna())).all())


def same_data(manifests: Sequence[Mapping[str, Any]], nodes: Sequence[Mapping[str, Mapping[str, Any]]]) -> bool:
    """Whether runs have seen the same images in the same order: by their digests, or where one is missing the configuration."""
    facts = [manifest.get("dataset") for manifest in manifests]
    said = [(fact.get("digest"), fact.get("split")) for fact in facts if isinstance(fact, Mapping)]
    if len(said) == len(facts) and all(digest for digest, _ in said):
        return all(one == said[0] for one in said)
    return all(node.get("dataset") == nodes[0].get("dataset") for node in nodes)
