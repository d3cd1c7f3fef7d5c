"""What a run will take, before it is made (`run.dry=true`): cells, forwards, FLOPs, a time estimate and memory."""

from __future__ import annotations

from advlab.lab.context import Context


def dry_run_text(ctx: Context) -> str:
    """The plan as lines; one forward is counted and one batch is timed, nothing is written."""
    settings, experiment = ctx.settings, ctx.settings.experiment
    ctx.prepared = experiment.prepare(ctx)
    cost = experiment.cost(ctx)
    cells = experiment.cells(ctx)
    lines = [
        f"plan of {experiment.name} ({experiment.paper}), preset {settings.run.preset}",
        f"  cells      {len(cells)}",
        f"  forwards   {cost.forwards:,} images",
        f"  backwards  {cost.backwards:,} images",
    ]
    if ctx.forward is None:
        return "\n".join([*lines, "nothing was written"])
    from advlab.engine.network_cost import network_cost_lines  # loads torch, which an experiment may do without

    lines += network_cost_lines(ctx, cost)
    return "\n".join([*lines, "nothing was written; an upper bound: fewer samples may qualify"])
