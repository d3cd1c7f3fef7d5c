"""The columns of the board: runs that differ in nothing but their seed, and which network each is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advlab.errors import printable, shorten
from advlab.results.board.runs import JudgedRun
from advlab.results.differences import SEED, Differences
from advlab.store.names import named_components

#: presets from the smallest to the paper's own numbers; a run without one has these
PRESETS = ("tiny", "laptop", "paper")
#: options that change no statement; runs that differ in the device or in how many images a forward holds repeat each other
NO_DIFFERENCE = (SEED, "run.accuracy_images", "run.max_nonfinite", "run.batch_size", "run.device")
NETWORK = ("model", "dataset", "recipe", "defense")  # what makes another network, and not another measurement of one


@dataclass(frozen=True)
class Column:
    """The runs that differ in nothing but their seed.

    Attributes:
        label: unlike that of any other column of the experiment.
        network: what tells its network from those of other columns.
        runs: one a seed.
    """

    label: str
    network: tuple[str, ...]
    runs: list[JudgedRun]

    @property
    def size(self) -> int:
        """The place of the runs' preset among `PRESETS`."""
        return size_of(self.runs[0])


def size_of(run: JudgedRun) -> int:
    """The place of a run's preset among `PRESETS`; that of the largest where it names none of them."""
    preset = str(run.nodes.get("run", {}).get("preset"))
    return PRESETS.index(preset) if preset in PRESETS else len(PRESETS) - 1


def without_tiny(columns: list[Column], remarks: list[str]) -> list[Column]:
    """The columns without those of tiny runs whose network has larger ones, with a remark for each run that is left out."""
    larger = {column.network: column for column in reversed(columns) if column.size}
    for column in columns:
        if not column.size and column.network in larger:
            instead = larger[column.network].runs[0].path
            why = f"a tiny run of what {instead} has measured"
            remarks += [f"left out of the claims board {run.path}: {why}" for run in column.runs]
    return [column for column in columns if column.size or column.network not in larger]


def columns_of(runs: Sequence[JudgedRun], remarks: list[str]) -> list[Column]:
    """The runs of an experiment by what differs but the seed and how they were carried out, in the order of their first."""
    nodes = [run.nodes for run in runs]
    differences = Differences(nodes, without=NO_DIFFERENCE)
    by_label: dict[str, dict[str, JudgedRun]] = {}
    networks: dict[str, tuple[str, ...]] = {}
    for number, (run, label) in enumerate(zip(runs, differences.labels(whole=True), strict=True)):
        seeds = by_label.setdefault(label, {})
        seed = str(run.nodes.get("run", {}).get("seed"))
        if seed in seeds:
            remarks.append(f"left out of the claims board {seeds[seed].path}: {run.path} repeats it")
        seeds[seed] = run
        parts = named_components(run.nodes)
        told = {key: value for key, value in differences.values(number).items() if key.split(".")[0] in NETWORK}
        networks[label] = (*(parts[group] for group in NETWORK if group in parts), *told.values())
    return [
        Column(shorten(printable(label), 100), networks[label], list(seeds.values()))
        for label, seeds in by_label.items()
    ]
