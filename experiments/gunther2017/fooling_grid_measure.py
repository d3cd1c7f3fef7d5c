"""Shows the fooling images of one start to the open set network."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.lab import Cell, NetworkContext

from .drawn_images import image_columns
from .fooling_grid import FoolingGrid, FoolingGridRow
from .open_set_stages import FOOLING
from .open_set_stages_measure import in_unit_interval


def measure(experiment: FoolingGrid, ctx: NetworkContext, cell: Cell) -> list[FoolingGridRow]:
    """The row of the start, and one for each class and level."""
    arrays, number = ctx.stage(FOOLING).arrays, cell.payload["start"]
    (defense,) = ctx.listed("defenses").values()
    open_set = ctx.defended(defense)

    def row(x: Tensor, target: int, level: float, status: str, probability: float, steps: int) -> FoolingGridRow:
        logits = open_set(x).double()
        prediction, classes = int(logits.argmax()), len(ctx.data.classes)
        verdict = "unknown" if prediction == classes else "target" if prediction == target else "other"
        return FoolingGridRow(
            start=number, target=target, target_name=ctx.data.classes[target] if target >= 0 else "", level=level,
            success=status in ("start", "reached"), status=status, probability=probability, start_class=start_class,
            verdict="class" if target < 0 and verdict != "unknown" else verdict, prediction=prediction,
            prediction_name="unknown" if prediction == classes else ctx.data.class_name(prediction),
            unknown=float(torch.softmax(logits, 1)[0, -1]), steps=steps, **image_columns(x),
        )  # fmt: skip

    start = in_unit_interval(arrays["starts"][number : number + 1], ctx.device)
    p = ctx.forward(start).double().softmax(1)[0]
    start_class = int(p.argmax())
    rows = [row(start, -1, 0.0, "start", float(p.max()), 0)]
    for n in (arrays["start"] == number).nonzero()[0]:
        already = bool(arrays["start_probability"][n] >= min(experiment.params.levels))
        for k, level in enumerate(experiment.params.levels):
            reached = bool(arrays["success"][k, n])
            status = "at level already" if already else "reached" if reached else "not reached"
            x = in_unit_interval(arrays["adv"][k, n : n + 1], ctx.device)
            steps, probability = int(arrays["steps"][k, n]), float(arrays["probability"][k, n])
            rows.append(row(x, int(arrays["target"][n]), level, status, probability, steps))
    return rows
