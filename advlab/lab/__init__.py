"""What an experiment is and what it is handed: the base class, cells, the context, loading of networks."""

from advlab.lab.cells import Cell, Cost
from advlab.lab.context import Context
from advlab.lab.experiment import Experiment, Figure
from advlab.store.tables import Frame

__all__ = ["Cell", "Context", "Cost", "Experiment", "Figure", "Frame"]
