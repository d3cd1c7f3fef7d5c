"""What an experiment is and what it is handed: the base class, cells, the context, loading of networks."""

from advlab.lab.experiment import Cell, Cost, Experiment

__all__ = ["Cell", "Cost", "Experiment"]
