"""What an experiment is: one figure or table, declared as parameters, rows, cells, claims and a plot."""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from advlab.config.settings import Settings
from advlab.lab.cells import Cell, Cost
from advlab.lab.context import Context
from advlab.statistics import Claim
from advlab.store.tables import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib takes half a second to import, and an experiment is listed and described without it
    Figure = Any

__all__ = ["Experiment", "Figure"]


class Measurement(Protocol):
    """What a module `<figure>_measure` offers: `measure`, and `prepare` where the experiment's own calls it."""

    def prepare(self, experiment: Any, ctx: Context) -> dict[str, Any]:
        """As `Experiment.prepare`."""

    def measure(self, experiment: Any, ctx: Context, cell: Cell) -> list[Any]:
        """As `Experiment.measure`."""


class Experiment(ABC):
    """One figure or table of a paper.

    A subclass declares the class attributes and the methods below in one module `<figure>.py` under `experiments/`, which
    imports no torch; what needs torch stands beside it in `<figure>_measure.py`. The runner does everything else:
    directories, resuming, batching policy, manifest, claims.
    """

    #: As in `experiment=NAME`.
    name: ClassVar[str]
    #: Bibkey and figure or table.
    paper: ClassVar[str]
    #: One line.
    title: ClassVar[str]
    #: Groups of the configuration that it uses; the others are `none`.
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model", "probe")
    #: Whether `measure` takes gradients; otherwise it runs under `torch.inference_mode`.
    gradients: ClassVar[bool] = False
    #: Whether `measure` trains variants of the run's model; then no network is loaded before.
    trains: ClassVar[bool] = False
    #: False: `measure` needs numpy alone; torch is not loaded, and the device is the CPU.
    torch: ClassVar[bool] = True
    #: Dataclass of its own parameters, the paper's values as defaults.
    Params: ClassVar[type]
    #: Dataclass of one line of the table, identity columns first. Rows with the columns `sample`, `trials` and `nonfinite` say
    #: how many of their scores are NaN or infinite: the runner adds them up, and refuses a run in which too many are.
    Row: ClassVar[type]

    def __init__(self, params: Any) -> None:
        self.params = params

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """Dotted keys that `run.preset` sets (sample counts, never a definition), unless the user did."""
        return {}

    @classmethod
    def measurement_name(cls) -> str | None:
        """Name of the module `<figure>_measure` beside the `<figure>` that declares this class or the nearest of its bases."""
        names = (f"{base.__module__}_measure" for base in cls.__mro__)
        return next((name for name in names if importlib.util.find_spec(name) is not None), None)

    @classmethod
    def measurement(cls) -> Measurement:
        """That module, which is imported, with torch, when a run measures.

        Raises:
            TypeError: there is none.
        """
        name = cls.measurement_name()
        if name is None:
            raise TypeError(f"there is no {cls.__module__}_measure.py beside the module of {cls.__name__}")
        return cast("Measurement", importlib.import_module(name))

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

    def measure(self, ctx: Context, cell: Cell) -> list[Any]:
        """The rows of one cell, batched on the device: by `<figure>_measure.py`, where a class has no `measure` of its own."""
        return self.measurement().measure(self, ctx, cell)

    @abstractmethod
    def cost(self, ctx: Context) -> Cost:
        """Forwards and backwards of the whole run."""

    @abstractmethod
    def claims(self, table: Frame) -> list[Claim]:
        """The paper's statements about this figure, checked on a table."""

    def summary(self, table: Frame) -> Frame | None:
        """The numbers that a reader wants of a table, a row for each of its runs (`run` column) and subsets.

        The runner prints them and keeps them as summary.csv; None where the claims say it all.
        """
        return None

    @abstractmethod
    def plot(self, table: Frame) -> Figure:
        """The figure as the paper draws it: a pure function of a table, whose `run` column names each run drawn.

        It imports its module of `figures/` inside: matplotlib and pandas are loaded when something is drawn, and not when
        experiments are listed, described or measured.
        """
