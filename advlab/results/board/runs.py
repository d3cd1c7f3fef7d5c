"""The finished runs below some folders with their claims; what is unfinished or damaged is passed over, and said."""

from __future__ import annotations

import dataclasses
import os
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advlab.errors import AdvlabError, ResultError, one_line, printable, shorten
from advlab.results.compare import experiment_of
from advlab.statistics.claims import Claim, Relation, Verdict
from advlab.statistics.families import simultaneous
from advlab.store.run_configuration import Nodes, nodes_in_manifest
from advlab.store.run_directory import RunDirectory

LONGEST = 1000  # signs of a text of claims.csv
RUN_FILES = {"config.yaml", "plan.json", "manifest.json"}  # one of them makes a folder a run
Key = tuple[str, str]  # subset and short name of a claim


@dataclass(frozen=True)
class JudgedRun:
    """A finished run with its claims.

    Attributes:
        path: its directory.
        experiment: name.
        paper: as its experiment says it, `aghdam2017, figure 1`.
        nodes: its configuration.
        claims: its statements, judged.
        former: the verdicts of claims.csv, where the claims were judged again; empty otherwise.
    """

    path: Path
    experiment: str
    paper: str
    nodes: Nodes
    claims: dict[Key, Claim]
    former: dict[Key, Verdict] = field(default_factory=dict)


@dataclass(frozen=True)
class FinishedRuns:
    """The runs, and a line for each that was passed over, or about which there is something to say."""

    runs: list[JudgedRun]
    remarks: list[str]


def finished_runs(
    folders: Sequence[Path], *, experiment: str = "", paper: str = "", preset: str = "", again: bool = False
) -> FinishedRuns:
    """Read the finished runs below `folders`, in the order of folders and paths.

    Args:
        folders: searched to any depth but for hidden folders and links.
        experiment: only runs of this one.
        paper: only runs about this one, by its key (`aghdam2017`).
        preset: only runs with this run.preset.
        again: judge from table.csv by today's rules; the verdicts of claims.csv are kept as `former`.

    Raises:
        ResultError: a folder is missing, or there is no finished run.
    """
    runs: list[JudgedRun] = []
    remarks: list[str] = []
    for folder in folders:
        if not os.path.isdir(folder):
            elsewhere = (
                "there are no runs here yet"
                if str(folder) == "outputs"
                else "name one that holds runs, such as outputs"
            )
            raise ResultError(f"{str(folder)[:200]!r} is no folder: {elsewhere}")
    for path in dict.fromkeys(Path(os.path.realpath(p)) for f in folders for p in run_folders(f, remarks)):
        shown = path if Path.cwd() not in path.parents else path.relative_to(Path.cwd())
        try:
            run = judged_run(RunDirectory(shown))
            if (
                experiment not in ("", run.experiment)
                or (paper and paper not in run.paper.replace(",", " ").split())
                or preset not in ("", str(run.nodes.get("run", {}).get("preset")))
            ):
                continue
            runs.append(judged_again(run, remarks) if again else run)
        except AdvlabError as error:
            remarks.append(f"skipped {shown}: {error}")
    remarks = [shorten(printable(remark)) for remark in remarks]
    if not runs:
        filters = {"--experiment": experiment, "--paper": paper, "--preset": preset}
        wanted = "".join(f" {name} {value}" for name, value in filters.items() if value)
        passed_over = f" ({'; '.join(remarks[:3])}{'; ...' if len(remarks) > 3 else ''})" if remarks else ""
        raise ResultError(
            f"no finished run below {' '.join(map(str, folders))}{f' that fits{wanted}' if wanted else ''}{passed_over}: "
            "run an experiment (advlab experiment=isotropy), or name another folder"
        )
    return FinishedRuns(runs, remarks)


def run_folders(folder: Path, remarks: list[str]) -> Iterator[Path]:
    """The run directories in a folder and below, in the order of their paths."""
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as entries:
                found = sorted(entries, key=lambda entry: in_number_order(entry.name))
        except OSError as error:
            remarks.append(f"skipped {place}: it could not be read ({error.strerror or error})")
            continue
        if RUN_FILES & {entry.name for entry in found}:
            yield place
            continue
        inside = [e for e in found if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)]
        waiting += [Path(entry.path) for entry in reversed(inside)]


def in_number_order(name: str) -> list[tuple[int, str]]:
    """The key by which `v9` stands before `v10`."""
    return [(int(part), "") if part.isdecimal() and len(part) < 20 else (-1, part) for part in re.split(r"(\d+)", name)]


def judged_run(run: RunDirectory) -> JudgedRun:
    """A finished run with the claims of its claims.csv.

    Raises:
        ResultError: it is not finished, or damaged.
    """
    if not run.manifest_path.is_file():
        raise ResultError("it is not finished")
    manifest = run.manifest()
    if manifest.get("status") != "complete":
        raise ResultError(f"it is {manifest.get('status', 'not finished')}")
    published = not (run.config_path.is_file() or run.plan_path.is_file())
    nodes = nodes_in_manifest(run) if published else run.nodes_to_read()
    if nodes is None:
        raise ResultError(f"{run.manifest_path} holds no configuration")
    claims = read_claims(run)
    name = printable(str(nodes["experiment"]["name"]))
    return JudgedRun(run.path, name, printable(str(manifest.get("paper", "")))[:LONGEST], nodes, claims)


def read_claims(run: RunDirectory) -> dict[Key, Claim]:
    """The claims of claims.csv.

    Raises:
        ResultError: the file is missing or damaged.
    """
    frame = run.read_claims(Claim)
    kinds = typing.get_type_hints(Claim)
    claims: dict[Key, Claim] = {}
    for row in frame.to_dict("records"):
        try:
            values = {f.name: typed(row[f.name], kinds[f.name]) for f in dataclasses.fields(Claim)}
        except (ValueError, OverflowError) as error:
            raise ResultError(f"{run.claims_path} is damaged: {error}") from error
        claim = Claim(**values)
        if claim.verdict not in typing.get_args(Verdict):
            raise ResultError(f"{run.claims_path} is damaged: {claim.verdict[:80]!r} is no verdict")
        if claim.relation not in typing.get_args(Relation):
            raise ResultError(f"{run.claims_path} is damaged: {claim.relation[:80]!r} is no relation")
        claims[claim.subset, claim.claim] = claim
    return claims


def typed(value: Any, kind: Any) -> Any:
    """A value of claims.csv as its field has it; text on one line and of some length at most."""
    if kind is float or kind is int:
        return kind(value)
    if kind is bool:
        return bool(value)
    return printable(str(value))[:LONGEST]


def judged_again(run: JudgedRun, remarks: list[str]) -> JudgedRun:
    """The run with the claims that its table supports by today's rules; as it is where it has no table, as published ones.

    The thresholds that are parameters of the experiment are those of its configuration.

    Raises:
        AdvlabError: the experiment is not known, its table is damaged or cannot be judged.
    """
    directory = RunDirectory(run.path)
    if not directory.table_path.is_file():
        remarks.append(f"{run.path} has no table.csv: its verdicts are those of claims.csv")
        return run
    experiment = experiment_of(run.nodes)
    table = directory.read_table(experiment.Row)
    try:
        claims = {(claim.subset, claim.claim): claim for claim in simultaneous(experiment.claims(table))}
    except Exception as error:  # a stranger's table of the right columns may hold anything
        raise ResultError(f"its table could not be judged ({type(error).__name__}: {one_line(error)})") from error
    gone = [f"{name} ({subset})" for subset, name in run.claims.keys() - claims.keys()]
    if gone:
        remarks.append(f"{run.path}: no longer judged: {', '.join(sorted(gone))}")
    caution = caution_of(run.claims, claims)
    claims = {key: dataclasses.replace(claim, quantity=claim.quantity + caution) for key, claim in claims.items()}
    former = {key: claim.verdict for key, claim in run.claims.items()}
    return dataclasses.replace(run, claims=claims, former=former)


def caution_of(archived: Mapping[Key, Claim], judged: Mapping[Key, Claim]) -> str:
    """What a run has put behind every quantity: faults with which its network was measured nonetheless; mostly nothing."""
    both = [(archived[key].quantity, judged[key].quantity) for key in archived.keys() & judged.keys()]
    added = {old.removeprefix(new) if old.startswith(f"{new} (") else "" for old, new in both}
    return added.pop() if len(added) == 1 else ""
