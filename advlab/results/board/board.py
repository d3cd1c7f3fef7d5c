"""The board: for each experiment its statements in lines and the networks in columns, runs of several seeds in one column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from advlab.results.board.cells import Cell
from advlab.results.board.columns import Column, columns_of, without_tiny
from advlab.results.board.runs import JudgedRun, Key
from advlab.statistics.claims import Claim, Verdict
from advlab.statistics.networks import NetworksVerdict, judge_networks

SECTION = re.compile(r"((?:sections?|figures?|tables?|equations?|theorems?|appendix)\b[^:\"]{0,60}): ")


class Check(NamedTuple):
    """A claim and what decides it."""

    key: Key
    relation: str
    threshold: str


@dataclass(frozen=True)
class Line:
    """A statement of a paper about one part of the table.

    Attributes:
        claim: its first judged form, for the words.
        cells: of the columns, None where it was not judged.
        networks: the verdicts of each network's runs, in all of its columns of the largest preset; tiny ones do not enter.
        scope: `all` or `most` where it is about so many networks; empty otherwise.
    """

    claim: Claim
    cells: list[Cell | None]
    networks: dict[tuple[str, ...], list[Verdict]]
    scope: Literal["", "all", "most"]

    @property
    def section(self) -> str:
        """`section 2.1`; empty where the statement does not begin with it."""
        found = SECTION.match(self.claim.statement)
        return found[1] if found else ""

    @property
    def sentence(self) -> str:
        """The statement without its section."""
        found = SECTION.match(self.claim.statement)
        return self.claim.statement[found.end() :] if found else self.claim.statement

    @property
    def rule(self) -> str:
        """What decides it: `median range(10), claimed > 0.1`."""
        return f"{self.claim.quantity}, claimed {self.claim.relation} {self.claim.threshold:g}"

    @property
    def judged(self) -> NetworksVerdict:
        """Of how many networks it holds, and the verdict if it is about all or most of them."""
        return judge_networks(self.scope or "all", self.networks)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict about all or most networks; None of a statement about each by itself."""
        return self.judged.verdict if self.scope else None

    @property
    def count_text(self) -> str:
        """`4 of 5 hold`, of the networks on which it was measured."""
        found = self.judged
        return f"{found.holding} of {found.holding + found.failing + found.undecided} hold"

    @property
    def networks_text(self) -> str:
        """`all: undecided (4 of 5 hold)`; of a statement about each network `4 of 5 hold`."""
        return f"{self.scope}: {self.verdict} ({self.count_text})" if self.scope else self.count_text


@dataclass(frozen=True)
class Section:
    """The statements of one experiment."""

    experiment: str
    paper: str
    columns: list[Column]
    lines: list[Line]

    @property
    def title(self) -> str:
        """`isotropy (aghdam2017, figure 1)`."""
        return f"{self.experiment} ({self.paper})" if self.paper else self.experiment


@dataclass(frozen=True)
class Board:
    """The sections of all experiments, and what was left out in making it."""

    sections: list[Section]
    remarks: list[str]

    @property
    def cells(self) -> list[Cell]:
        """All cells in which something was judged."""
        return [cell for s in self.sections for line in s.lines for cell in line.cells if cell is not None]


def board_of(runs: Sequence[JudgedRun]) -> Board:
    """The board of some runs; of several with one configuration and seed the last is taken."""
    experiments: dict[tuple[str, str], list[JudgedRun]] = {}
    for run in runs:
        experiments.setdefault((run.paper, run.experiment), []).append(run)
    remarks: list[str] = []
    sections = []
    for (paper, experiment), of_one in sorted(experiments.items(), key=lambda item: item[0]):
        columns = without_tiny(columns_of(of_one, remarks), remarks)
        lines = lines_of(columns)
        if lines:
            sections.append(Section(experiment, paper, columns, lines))
    if any(not column.size for section in sections for column in section.columns):
        remarks.append(
            "tiny runs decide nothing about all or most networks, and are not counted there: run.preset=laptop takes more"
        )
    return Board(sections, remarks)


def lines_of(columns: Sequence[Column]) -> list[Line]:
    """The statements that any run of the columns has judged, in the order of the first that has; equal ones stand together.

    Runs that judged a statement by different thresholds have made different checks of it, which have lines of their own.
    """
    found: dict[Check, Claim] = {}
    for run in (run for column in columns for run in column.runs):
        found = {**{check_of(claim): claim for claim in run.claims.values()}, **found}  # the words of the first
    judged = (claim for column in columns for run in column.runs for claim in run.claims.values())
    checks = list(dict.fromkeys(map(check_of, judged)))
    statements = list(dict.fromkeys(found[check].statement for check in checks))
    names = list(dict.fromkeys(check.key[1] for check in checks))
    checks.sort(
        key=lambda check: (statements.index(found[check].statement), names.index(check.key[1]))
    )  # else as they came
    lines = []
    for check in checks:
        cells = [cell_of(column, check) for column in columns]
        networks = verdicts_of_networks(columns, cells)
        said = {claim.networks for cell in cells if cell for claim in cell.claims}
        lines.append(Line(found[check], cells, networks, "all" if "all" in said else "most" if "most" in said else ""))
    return lines


def verdicts_of_networks(
    columns: Sequence[Column], cells: Sequence[Cell | None]
) -> dict[tuple[str, ...], list[Verdict]]:
    """The verdicts about each network: those of its columns with the largest preset, since a smaller run, which decides
    less, takes nothing back. Tiny runs have no voice.
    """
    networks: dict[tuple[str, ...], list[Verdict]] = {}
    judged = [(column, cell) for column, cell in zip(columns, cells, strict=True) if cell is not None and column.size]
    for column, cell in judged:
        if column.size == max(other.size for other, _ in judged if other.network == column.network):
            networks.setdefault(column.network, []).extend(claim.verdict for claim in cell.claims)
    return networks


def check_of(claim: Claim) -> Check:
    """What tells a claim from others on the board."""
    return Check((claim.subset, claim.claim), claim.relation, repr(claim.threshold))  # as text NaN equals itself


def cell_of(column: Column, check: Check) -> Cell | None:
    """A statement on the runs of a column; None where none has judged it."""
    key = check.key
    runs = [run for run in column.runs if key in run.claims and check_of(run.claims[key]) == check]
    if not runs:
        return None
    again = any(run.former for run in runs)
    former = [run.former.get(key) if run.former else run.claims[key].verdict for run in runs] if again else []
    return Cell([run.claims[key] for run in runs], former)
