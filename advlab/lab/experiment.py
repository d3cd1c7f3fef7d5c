"""What an experiment is: one figure or table, declared as parameters, rows, cells, claims and a plot."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from advlab.config.settings import Settings
    from advlab.lab.context import Context
    from advlab.statistics.claims import Claim


@dataclass(frozen=True)
class Cell:
    """An independent unit of work: a stable id (letters, digits, '-', '_', '.') and what `measure` needs to know."""

    id: str
    payload: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an id that is no plain file name.

        Raises:
            ValueError: it is empty, hidden or has other signs.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", self.id):
            raise ValueError(f"the id of a cell must be letters, digits, '-', '_' and '.', got {self.id!r}")


@dataclass(frozen=True)
class Cost:
    """What a run will take, for the dry plan: forwards and backwards, in images."""

    forwards: int = 0
    backwards: int = 0


class Experiment(ABC):
    """One figure or table of a paper.

    A subclass declares the class attributes and the methods below in one module under `experiments/`, which imports
    no torch at top level. The runner does everything else: directories, resuming, batching policy, manifest, claims.
    """

    name: ClassVar[str]
    paper: ClassVar[str]  # bibkey and figure or table
    title: ClassVar[str]  # one line
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model", "probe")  # groups; the others compose to none
    gradients: ClassVar[bool] = False  # whether `measure` takes gradients; otherwise it runs under inference_mode
    trains: ClassVar[bool] = False  # whether `measure` trains the run's model in variants: none is loaded before
    torch: ClassVar[bool] = True  # False: `measure` needs numpy alone; torch is not loaded, and the device is the CPU
    Params: ClassVar[type]  # dataclass of its own parameters, the paper's values as defaults
    Row: ClassVar[type]  # dataclass of one line of the table, identity columns first; NaN are counted in `nonfinite`,
    # of `trials`, for a `sample`: the runner sums those three columns where they exist

    def __init__(self, params: Any) -> None:
        self.params = params

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """Dotted keys that `run.preset` sets (sample counts, never a definition), unless the user did."""
        return {}

    def check(self, settings: Settings) -> None:
        """Refuse combinations of components that make no sense, before anything is loaded.

        Raises:
            ConfigError: names the keys and the remedy.
        """

    def prepare(self, ctx: Context) -> dict[str, Any]:
        """Facts that the cells depend on (which samples qualify), as plain JSON; kept in the run's plan."""
        return {}

    @abstractmethod
    def cells(self, ctx: Context) -> list[Cell]:
        """The plan: a function of the configuration and of `ctx.prepared` alone, never of batch size or device."""

    @abstractmethod
    def measure(self, ctx: Context, cell: Cell) -> list[Any]:
        """The rows of one cell, batched on the device."""

    @abstractmethod
    def cost(self, ctx: Context) -> Cost:
        """Forwards and backwards of the whole run."""

    @abstractmethod
    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """The paper's statements about this figure, checked on a table."""

    def summary(self, table: pd.DataFrame) -> pd.DataFrame | None:
        """The numbers that a reader wants of a table, a row for each of its runs (`run` column) and subsets.

        The runner prints them and keeps them as summary.csv; None where the claims say it all.
        """
        return None

    @abstractmethod
    def plot(self, table: pd.DataFrame) -> Figure:
        """The figure as the paper draws it: a pure function of a table, whose `run` column names each run drawn."""
