"""One run as the page shows it, read from its directory within bounds: what is missing or damaged is left out, and said."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.errors import ResultError, printable, shorten
from advlab.results.board.board import Line
from advlab.results.board.cells import Cell
from advlab.results.board.runs import JudgedRun
from advlab.results.page.facts import Facts, configuration_lines, duration, facts_of
from advlab.results.page.numbers import Numbers, numbers_of
from advlab.results.page.pictures import Picture, figures_of, kept_pictures
from advlab.results.page.reproduction import Reproduction, Reproductions
from advlab.statistics.claims import VERDICT_WORDS, Claim, Verdict
from advlab.store.run_directory import RunDirectory

MOST_NAMED = 4  # claims of one verdict that the text about a figure names


@dataclass(frozen=True)
class JudgedClaim:
    """A statement as a line of the page: its words, what decides it, and its verdict with numbers."""

    section: str
    sentence: str
    rule: str
    verdict: Verdict
    numbers: str
    estimate: float
    units: str


@dataclass(frozen=True)
class ReportedRun:
    """A run.

    Attributes:
        judged: the run with its claims.
        anchor: what a link within the page calls it.
        label: unlike that of the other runs of its experiment.
        figures, kept: its pictures, and those that its cells have kept.
        claims: its statements.
        numbers: its summary, if it has one.
        configuration: lines of YAML.
        facts: of its manifest.
        cost: in a few words.
        reproduction: the command that makes it again.
        remarks: what was left out, and why.
    """

    judged: JudgedRun
    anchor: str
    label: str
    figures: list[Picture]
    kept: list[Picture]
    claims: list[JudgedClaim]
    numbers: Numbers | None
    configuration: list[str]
    facts: list[Facts]
    cost: str
    reproduction: Reproduction
    remarks: list[str]

    @property
    def verdicts(self) -> list[Verdict]:
        """Of its claims."""
        return [claim.verdict for claim in self.claims]

    @property
    def seed(self) -> str:
        """Its run.seed."""
        return str(self.judged.nodes.get("run", {}).get("seed", ""))[:40]

    @property
    def preset(self) -> str:
        """Its run.preset."""
        return str(self.judged.nodes.get("run", {}).get("preset", ""))[:40]

    def about_figure(self, title: str) -> str:
        """What a figure of the run shows, and what was judged: its alternative text.

        Args:
            title: of its experiment.
        """
        parts = [f"Figure of {self.judged.experiment} for {self.label}" + (f": {title}" if title else "")]
        for verdict in ("holds", *VERDICT_WORDS):
            rules = [claim.rule for claim in self.claims if claim.verdict == verdict]
            more = [f"and {len(rules) - MOST_NAMED} more"] if len(rules) > MOST_NAMED else []
            if rules:
                parts.append(f"{verdict.capitalize()}: {'; '.join([*rules[:MOST_NAMED], *more])}")
        return shorten(". ".join(part.rstrip(".") for part in parts) + ".", 1500)


def reported_run(run: JudgedRun, anchor: str, label: str, reproductions: Reproductions) -> ReportedRun:
    """Read what the page shows of a run.

    Args:
        run: a finished run.
        anchor, label: see `ReportedRun`.
        reproductions: finds its command.
    """
    directory, remarks = RunDirectory(run.path), list[str]()
    manifest = directory.manifest()
    digests = manifest.get("files", {})
    try:
        kept = kept_pictures(directory, digests, remarks)
    except (OSError, ResultError) as error:
        kept = []
        remarks.append(str(error))
    device = str(manifest.get("device_name") or manifest.get("device") or "")[:100]
    return ReportedRun(
        judged=run, anchor=anchor, label=label,
        figures=figures_of(directory, digests, remarks), kept=kept,
        claims=[judged_claim(claim) for claim in run.claims.values()],
        numbers=numbers_of(directory, digests, remarks),
        configuration=list(configuration_lines(run.nodes)), facts=facts_of(manifest),
        cost=" on ".join(text for text in (duration(manifest.get("seconds")), " ".join(device.split())) if text),
        reproduction=reproductions.of(run.nodes, manifest),
        remarks=[shorten(printable(remark)) for remark in remarks],
    )  # fmt: skip


def judged_claim(claim: Claim) -> JudgedClaim:
    """A claim in words."""
    cell = Cell([claim], [])
    units = f"{claim.samples:,}" if claim.samples else "computed" if cell.numbers_text else ""
    family = f", family of {claim.family}" if claim.family > 1 else ""
    alone = f" (alone: {claim.verdict_alone})" if claim.verdict_alone not in ("", claim.verdict) else ""
    line = Line(claim, [], {}, "")
    rule = f"{claim.subset}: {line.rule}" if claim.subset else line.rule
    return JudgedClaim(
        line.section, line.sentence, rule, claim.verdict, cell.numbers_text, claim.estimate, f"{units}{family}{alone}"
    )
