"""What an experiment is: one figure or table, declared as parameters, rows, cells, claims and a plot."""

from __future__ import annotations

import importlib
import importlib.util
import typing
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, cast

from advlab.config.settings import Settings
from advlab.lab.cells import Cell, Cost, Stage
from advlab.lab.data_context import DataContext, DeviceContext
from advlab.lab.network_context import NetworkContext
from advlab.lab.run_context import RunContext
from advlab.statistics import Claim
from advlab.store.tables import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib takes half a second to import, and an experiment is listed and described without it
    Figure = Any

__all__ = ["Experiment", "Figure"]


C = TypeVar("C", bound=RunContext)


class Measurement(Protocol):
    """What a module `<figure>_measure` offers: `measure`, and `prepare` and `stages` where the experiment's own call them."""

    def prepare(self, experiment: Any, ctx: Any) -> dict[str, Any]:
        """As `Experiment.prepare`."""

    def stages(self, experiment: Any, ctx: Any) -> list[Stage]:
        """As `Experiment.stages`."""

    def measure(self, experiment: Any, ctx: Any, cell: Cell) -> list[Any]:
        """As `Experiment.measure`."""


class Experiment(ABC, Generic[C]):
    """One figure or table of a paper.

    Its argument says what it is handed: `Experiment[NetworkContext]` measures a network on images,
    `Experiment[DataContext]` looks at images or trains networks of its own, `Experiment[DeviceContext]` computes with
    torch on neither, and `Experiment[RunContext]` needs numpy alone: torch is not loaded for it.

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
    #: Groups of the configuration that it uses; a recipe comes with a model, a defense with a network that is measured.
    #: The others are `none`.
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model", "probe")
    #: Behind a random defense: whether all images meet one draw, so that the network is one function of the image, as
    #: whoever compares it at several points near each other needs it. Otherwise every image has a draw of its own.
    one_draw: ClassVar[bool] = False
    #: Raised when the same parameters give other rows: a run that another version began is not resumed.
    version: ClassVar[int] = 1
    #: Dataclass of its own parameters, the paper's values as defaults. A list of components is a list of their names,
    #: `Annotated[list[str], ChoicesOf("attack")]`; `ctx.listed` gives the objects.
    Params: ClassVar[type]
    #: Dataclass of one line of the table, identity columns first. Rows with the columns `sample`, `trials` and `nonfinite` say
    #: how many of their scores are NaN or infinite: the runner adds them up, and refuses a run in which too many are.
    Row: ClassVar[type]
    #: Columns of the summary that say what a line is about (a layer, a radius, a sample's index) and are no results. Without
    #: them, its first columns are taken for such: as many as tell its lines apart, and texts right behind them.
    summary_keys: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Any) -> None:
        self.params = params

    @classmethod
    def context_type(cls) -> type[RunContext]:
        """The context that it is handed: the argument of `Experiment[...]` among its bases.

        A class that derives from `Experiment` alone is handed what the groups that it uses ask for.
        """
        for base in cls.__mro__:
            for generic in getattr(base, "__orig_bases__", ()):
                arguments = [a for a in typing.get_args(generic) if isinstance(a, type) and issubclass(a, RunContext)]
                if arguments:
                    return arguments[0]
        if "model" in cls.uses:
            return NetworkContext
        return DataContext if "dataset" in cls.uses else DeviceContext

    @classmethod
    def groups(cls) -> tuple[str, ...]:
        """The groups of the configuration that are used."""
        recipe = ("recipe",) if "model" in cls.uses else ()
        defense = ("defense",) if issubclass(cls.context_type(), NetworkContext) else ()
        return (*cls.uses, *recipe, *defense)

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

    def prepare(self, ctx: C) -> dict[str, Any]:
        """Facts that the cells depend on (which samples qualify), as plain JSON; kept in the run's plan."""
        return {}

    def stages(self, ctx: C) -> list[Stage]:
        """Expensive intermediate results that cells share, each after those that it needs; a function of what `cells` is."""
        return []

    @abstractmethod
    def cells(self, ctx: C) -> list[Cell]:
        """The plan: a function of the configuration and of `ctx.prepared` alone, never of batch size or device."""

    def measure(self, ctx: C, cell: Cell) -> list[Any]:
        """The rows of one cell, batched on the device: by `<figure>_measure.py`, where a class has no `measure` of its own."""
        return self.measurement().measure(self, ctx, cell)

    @abstractmethod
    def cost(self, ctx: C) -> Cost:
        """Forwards and backwards of all cells; stages name their own."""

    @abstractmethod
    def claims(self, table: Frame) -> list[Claim]:
        """The paper's statements about this figure, checked on a table; the run then corrects claims of one name together."""

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
