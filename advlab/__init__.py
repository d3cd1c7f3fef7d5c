"""advlab measures why neural networks are vulnerable to adversarial examples.

From Python: `advlab.run(EXPERIMENT, model=..., dataset=...)` carries out a run and `advlab.sweep` many, `advlab.load(RUN)` reads
one, `advlab.claims(FOLDER)` the claims board of many, `advlab.compare(RUN, RUN)` what differs between some,
`advlab.report(FOLDER)` writes one page of many; `advlab.model`, `advlab.dataset`, `advlab.attack`, `advlab.defense` and
`advlab.experiment` register a user's own components (see `advlab.plugins`). `advlab.attacks` has the attacks,
`advlab.defenses` the defenses, `advlab.lab` what an experiment is made of, `advlab.statistics` how a paper's statement is
checked. Importing any of them imports no torch.
"""

from __future__ import annotations

from advlab.api.run import Sweep, run, sweep
from advlab.plugins.attack import attack
from advlab.plugins.dataset import dataset
from advlab.plugins.defense import defense
from advlab.plugins.experiment import experiment
from advlab.plugins.model import model
from advlab.results.frames import claims, compare
from advlab.results.load import Run, load
from advlab.results.page.report import report

__version__ = "0.2.0"
__all__ = [
    "Run",
    "Sweep",
    "__version__",
    "attack",
    "claims",
    "compare",
    "dataset",
    "defense",
    "experiment",
    "load",
    "model",
    "report",
    "run",
    "sweep",
]
