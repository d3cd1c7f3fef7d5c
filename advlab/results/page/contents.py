"""What the page holds: papers, their figures, the runs of each, the claims board, and what could not be read."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from advlab.config import components
from advlab.errors import AdvlabError, printable, shorten
from advlab.results.board.board import Board, board_of
from advlab.results.board.runs import FinishedRuns, JudgedRun, finished_runs, in_number_order
from advlab.results.differences import Differences, unique_labels
from advlab.results.page.named_runs import folders_of
from advlab.results.page.reported_run import ReportedRun, reported_run
from advlab.results.page.reproduction import RememberingComposer, Reproductions

PAPERS = ["advlab", "experiments"]  # the package that holds a package for each paper
LONGEST_LABEL = 200


@dataclass(frozen=True)
class FigureSection:
    """The runs of one experiment.

    Attributes:
        anchor: what a link within the page calls it.
        place: `figure 1`; empty where the experiment names none.
        experiment: its name.
        title, about: of the experiment, where it is known: one line, and the first paragraph of what it says of itself.
        runs: in the order in which they were found.
    """

    anchor: str
    place: str
    experiment: str
    title: str
    about: str
    runs: list[ReportedRun]


@dataclass(frozen=True)
class PaperSection:
    """The figures of one paper.

    Attributes:
        anchor: what a link within the page calls it.
        key: such as `aghdam2017`.
        title: authors, year and title, where it is known.
        figures: in the order of their numbers.
    """

    anchor: str
    key: str
    title: str
    figures: list[FigureSection]

    @property
    def count(self) -> int:
        """Of its figures."""
        return len(self.figures)


@dataclass(frozen=True)
class Report:
    """All of the page, and a line for each thing that was left out."""

    papers: list[PaperSection]
    board: Board
    remarks: list[str]

    @property
    def runs(self) -> list[ReportedRun]:
        """Of all figures, in the order of the page."""
        return [run for paper in self.papers for figure in paper.figures for run in figure.runs]


def report_of(places: Sequence[Path]) -> Report:
    """Read the finished runs that are named, or lie below the folders that are.

    Args:
        places: runs, folders and sweeps.

    Raises:
        ResultError: a folder is missing, or there is no finished run.
    """
    remarks: list[str] = []
    folders = folders_of(places, remarks)
    found = finished_runs(folders or list(places))
    board = board_of(found.runs)
    papers = papers_of(found)
    of_runs = [remark for paper in papers for figure in paper.figures for run in figure.runs for remark in run.remarks]
    return Report(
        papers, board, [*(shorten(printable(text)) for text in remarks), *found.remarks, *board.remarks, *of_runs]
    )


def papers_of(found: FinishedRuns) -> list[PaperSection]:
    """The runs by paper and figure."""
    by_figure: dict[tuple[str, str, str], list[JudgedRun]] = {}
    for run in found.runs:
        key, _, place = run.paper.partition(",")
        by_figure.setdefault((key.strip(), place.strip(), run.experiment), []).append(run)
    order = sorted(by_figure, key=lambda figure: (figure[0], in_number_order(figure[1]), figure[2]))
    papers: list[PaperSection] = []
    count = 0
    with RememberingComposer() as composer:
        reproductions = Reproductions(composer)
        for number, (key, place, experiment) in enumerate(order, 1):
            if not papers or papers[-1].key != key:
                papers.append(PaperSection(f"paper-{len(papers) + 1}", key or "no paper", "", []))
            runs = by_figure[key, place, experiment]
            labels = labels_of(runs)
            reported = [
                reported_run(run, f"run-{count + n}", label, reproductions)
                for n, (run, label) in enumerate(zip(runs, labels, strict=True), 1)
            ]
            count += len(runs)
            title, about, of_paper = words_of(experiment)
            papers[-1].figures.append(FigureSection(f"figure-{number}", place, experiment, title, about, reported))
            if of_paper and not papers[-1].title:
                papers[-1] = PaperSection(papers[-1].anchor, papers[-1].key, of_paper, papers[-1].figures)
    return papers


def labels_of(runs: Sequence[JudgedRun]) -> list[str]:
    """Labels of the runs of one experiment that name what differs, no two alike."""
    labels = [
        shorten(printable(label), LONGEST_LABEL)
        for label in Differences([run.nodes for run in runs]).labels(whole=True)
    ]
    return unique_labels(labels, [run.path for run in runs])


def words_of(experiment: str) -> tuple[str, str, str]:
    """Title and first paragraph of an experiment, and what its paper is called; empty where it is not known."""
    try:
        cls = components.REGISTRIES["experiment"].load(experiment)
    except AdvlabError:
        return "", "", ""
    about = " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())
    package, module = cls.__module__.split(".")[:2], cls.__module__.split(".")[:3]
    if package != PAPERS:
        return str(cls.title), about, ""
    paper = importlib.import_module(".".join(module))
    return str(cls.title), about, (paper.__doc__ or "").strip().partition("\n")[0].rstrip(".")
