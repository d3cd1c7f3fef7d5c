"""The results as JSON and as a table, which say whose numbers they are."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from advlab.store.atomic import write_atomic
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.step import Outcome
from benchmarks.report import Ratio, markdown, shown

NAME = "gpu"


def write(folder: Path, setting: Setting, outcomes: Sequence[Outcome]) -> None:
    """Write gpu.json and gpu.md."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(finite(content(setting, outcomes)), indent=2, allow_nan=False)
    write_atomic(folder / f"{NAME}.json", (text + "\n").encode())
    write_atomic(folder / f"{NAME}.md", (table(setting, outcomes) + "\n").encode())


def whose(setting: Setting) -> str:
    """Whose numbers they are, in one line."""
    if setting.pretend:
        return "NOT A GPU: the device is pretended, its tensors are CPU memory. Times and memory below say nothing."
    if setting.small:
        return "A SMALL TRIAL of the script itself, at sizes that say nothing about speed or memory."
    return "One GPU at full size."


def content(setting: Setting, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """For the JSON file."""
    steps = []
    for outcome in outcomes:
        entry = {**asdict(outcome), "wrong": outcome.wrong}
        del entry["report"]
        steps.append({**entry, **asdict(outcome.report)})
    return {"numbers_of": whose(setting), "real": setting.real, **asdict(setting), "steps": steps}


def finite(value: Any) -> Any:
    """The same with null for numbers that JSON does not know."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(setting: Setting, outcomes: Sequence[Outcome]) -> str:
    """As Markdown: whose numbers, the machine, what became of the steps, what was measured, and tables and facts."""
    lines = [f"**{whose(setting)}**", ""]
    for outcome in outcomes[:1]:  # the machine
        lines += [*(f"- {name}: {value}" for name, value in outcome.report.facts.items()), ""]
    states = [[o.step, o.status, f"{o.seconds:.1f}", o.note.replace("|", "/")] for o in outcomes]
    lines += markdown(["step", "status", "seconds", "note"], states)
    measured = [
        [
            ratio.workload,
            ratio.quantity,
            number(ratio.value),
            number(ratio.spread),
            ratio.aim,
            reached(setting, outcome, ratio),
        ]
        for outcome in outcomes
        for ratio in outcome.report.ratios
    ]
    lines += ["", *markdown(["workload", "quantity", "measured", "spread", "aim", "reached"], measured)]
    for outcome in outcomes:
        for title, rows in outcome.report.tables.items():
            cells = [[shown(value) for value in row.values()] for row in rows]
            lines += ["", f"**{title}**", "", *markdown(list(rows[0]), cells)]
    facts = [f"- {name}: {value}" for outcome in outcomes[1:] for name, value in outcome.report.facts.items()]
    return "\n".join([*lines, *([""] if facts else []), *facts])


def number(value: float) -> str:
    """A measured number: four digits."""
    return "-" if math.isnan(value) else f"{value:.4g}"


def reached(setting: Setting, outcome: Outcome, ratio: Ratio) -> str:
    """Whether an aim was reached; aims of speed are not judged by a trial."""
    if math.isnan(ratio.value):
        return "not run"
    if not outcome.required and not setting.real:
        return "not judged"
    return "yes" if ratio.reached else "no"
