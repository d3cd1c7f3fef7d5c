"""What a run makes of its rows: the table, the checked claims, the summary and the figure, and the text at its end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from advlab import collection
from advlab.config.labels import label_with_options
from advlab.config.settings import Settings
from advlab.engine.interrupts import Interrupts
from advlab.engine.tally import Tally
from advlab.models.base import caution_text
from advlab.results.claims_table import show_claims
from advlab.results.console import NUMBERS, TITLES, on_terminal, show
from advlab.results.report import summary_text
from advlab.results.terminal import terminal_width
from advlab.statistics.claims import Claim, claims_text
from advlab.statistics.families import simultaneous
from advlab.store.atomic import write_atomic
from advlab.store.names import run_label
from advlab.store.run_directory import RunDirectory
from advlab.store.tables import Frame, read_frame, to_csv

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outputs:
    """What was made of a run's rows.

    Attributes:
        claims: the paper's statements with their verdicts.
        numbers: the experiment's summary, if it has one.
        files: all that was written, the configuration and the plan among them, for the manifest.
        figures: those of them that show the figure.
        caution: faults with which networks were measured nonetheless, in words; empty where there are none.
    """

    claims: list[Claim]
    numbers: Frame | None
    files: list[Path]
    figures: list[Path]
    caution: str


@collection.paused()  # imports pandas and matplotlib, and draws
def write_outputs(
    directory: RunDirectory, settings: Settings, rows: list[Any], facts: Mapping[str, Any], interrupts: Interrupts
) -> Outputs:
    """Write table.csv, claims.csv, summary.csv and the figure; claims and figure are made from the table as it is read.

    Args:
        directory: of the run.
        settings: of the run.
        rows: of the table.
        facts: of the manifest: faults with which a network was measured are said beside every claim.
        interrupts: holds signals back while a file is written.
    """
    experiment, escape = settings.experiment, settings.run.escape_csv
    with interrupts.shield():
        write_atomic(directory.table_path, to_csv(rows, experiment.Row, escape=escape).encode())
    table = read_frame(directory.table_path, experiment.Row)
    claims, caution = simultaneous(experiment.claims(table)), cautions(facts)
    if caution:
        claims = [replace(claim, quantity=f"{claim.quantity} ({caution})") for claim in claims]
    with interrupts.shield():
        write_atomic(directory.claims_path, to_csv(claims, Claim, escape=escape).encode())
    table = table.assign(run=run_label(settings.nodes))
    numbers = experiment.summary(table)
    files = [directory.config_path, directory.plan_path, directory.table_path, directory.claims_path]
    if numbers is not None:
        with interrupts.shield():
            write_atomic(directory.summary_path, numbers.to_csv(index=False, lineterminator="\n").encode())
        files.append(directory.summary_path)
    # draws with matplotlib, which takes a second to import: a run that is refused need not wait for it
    from advlab.plotting.draw import draw_run

    figures = draw_run(directory, experiment, table, settings.run.figure)
    return Outputs(claims, numbers, [*files, *directory.kept_files(), *figures], figures, caution)


def cautions(facts: Mapping[str, Any]) -> str:
    """The faults with which networks of a run were measured nonetheless, by the facts of its manifest."""
    own, others = facts.get("model", {}), facts.get("other_models", [])
    texts = [caution_text("the network", own["faults"])] if own.get("faults") else []
    return "; ".join(texts + [caution_text(other["name"], other["faults"]) for other in others if other.get("faults")])


def print_outputs(outputs: Outputs, settings: Settings, tally: Tally) -> None:
    """Print the numbers, the verdicts and where the figure is."""
    experiment, numbers = settings.experiment, outputs.numbers
    title = f"{experiment.title} ({experiment.paper}), {label_with_options(settings.nodes)}:"
    show(title, TITLES, fold=True)
    if outputs.caution:
        show(f"caution: {outputs.caution} (model.allow)", {}, fold=True)
    if numbers is not None:
        if tally.images and numbers["run"].is_unique:  # not in summary.csv, which a resumed run repeats to the byte
            numbers["seconds_per_image"] = tally.seconds / tally.images
        show(summary_text(numbers, terminal_width()), NUMBERS)
    if outputs.claims and on_terminal():
        show_claims(outputs.claims)
    elif outputs.claims:
        print(claims_text(outputs.claims))
    elif numbers is not None:
        show(
            f"it judges no statement of a paper; what it measures and how: advlab describe {experiment.name}",
            {},
            fold=True,
        )
    print(f"figure: {outputs.figures[0]}" if outputs.figures else "no figure", flush=True)
    if outputs.claims and settings.run.preset == "tiny":
        log.info("so few samples decide next to nothing: run.preset=laptop takes more")
