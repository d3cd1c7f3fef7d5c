"""What a run will take, before it is made (`run.dry=true`): cells, forwards, FLOPs, a time estimate and memory."""

from __future__ import annotations

from advlab.engine.stages import check_needed_stages, plan_stages, stages_to_make
from advlab.lab.network_context import NetworkContext
from advlab.lab.run_context import RunContext


def dry_run_text(ctx: RunContext) -> str:
    """The plan as lines; one forward is counted and one batch is timed, nothing is written."""
    settings, experiment = ctx.settings, ctx.settings.experiment
    ctx.prepared = experiment.prepare(ctx)
    cells = experiment.cells(ctx)
    plan_stages(ctx)
    check_needed_stages(ctx, cells)
    stage_lines, cost = [], experiment.cost(ctx)
    needed = list(dict.fromkeys(stage_id for cell in cells for stage_id in cell.stages))
    missing = stages_to_make(ctx, needed)
    for stage_id in dict.fromkeys([*missing, *needed]):
        stage, kept = ctx.stages[stage_id], stage_id not in missing
        cost = cost if kept else cost + stage.cost
        passes = f"{stage.cost.forwards:,} forwards, {stage.cost.backwards:,} backwards"
        stage_lines.append(f"  stage      {stage.id}: {'kept from before' if kept else passes}")
    lines = [
        f"plan of {experiment.name} ({experiment.paper}), preset {settings.run.preset}",
        f"  cells      {len(cells)}",
        *defense_lines(ctx),
        *stage_lines,
        f"  forwards   {cost.forwards:,} images",
        f"  backwards  {cost.backwards:,} images",
    ]
    if not isinstance(ctx, NetworkContext):
        return "\n".join([*lines, "nothing was written"])
    from advlab.engine.network_cost import network_cost_lines  # loads torch, which an experiment may do without

    lines += network_cost_lines(ctx, cost)
    return "\n".join([*lines, "nothing was written; an upper bound: fewer samples may qualify"])


def defense_lines(ctx: RunContext) -> list[str]:
    """A line for each defense of the networks set up so far that is fitted to training images."""
    if not isinstance(ctx, NetworkContext):
        return []
    from advlab.lab.defended_classifier import DefendedClassifier  # loads torch, which an experiment may do without

    said = {
        "kept": "fitted, kept from before",
        "to do": "is fitted to the training images first; here it changes nothing",
    }
    lines = []
    for forward in (ctx.forward, *ctx.others):
        classifier = forward.classifier
        while isinstance(classifier, DefendedClassifier):
            if classifier.fitting in said:
                lines.append(f"  defense    {classifier.defense.label}: {said[classifier.fitting]}")
            classifier = classifier.classifier
    return list(dict.fromkeys(lines))
