"""Measures experiments that take neither dataset nor model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd

from advlab.config.settings import resolve
from advlab.store.tables import from_csv, to_csv


def measured_without_data(name: str, **options: Any) -> pd.DataFrame:
    """The table of all cells of the experiment `name`; its last rows are equal when they are read from CSV."""
    settings = resolve({"experiment": {"name": name, **options}})
    experiment, ctx = settings.experiment, SimpleNamespace(settings=settings)
    rows = [row for cell in experiment.cells(ctx) for row in experiment.measure(ctx, cell)]
    text = to_csv(rows[-20:], experiment.Row)
    assert to_csv(from_csv(text, experiment.Row), experiment.Row) == text
    return pd.DataFrame([vars(row) for row in rows]).assign(run="here")
