"""What an experiment is and what it is handed: the base class, stages and cells, contexts, loading of networks."""

from advlab.config.lists import ChoicesOf
from advlab.config.ranges import InRange
from advlab.config.settings import Settings
from advlab.lab.cells import Cell, Cost, Stage
from advlab.lab.data_context import DataContext, DeviceContext
from advlab.lab.experiment import Experiment, Figure
from advlab.lab.network_context import NetworkContext
from advlab.lab.run_context import RunContext
from advlab.store.artifacts import Arrays
from advlab.store.tables import Frame, frame_of

__all__ = [
    "Arrays",
    "Cell",
    "ChoicesOf",
    "Cost",
    "DataContext",
    "DeviceContext",
    "Experiment",
    "Figure",
    "Frame",
    "InRange",
    "NetworkContext",
    "RunContext",
    "Settings",
    "Stage",
    "frame_of",
]
