"""How a run is carried out: the options `run.*`."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Interval, Lt

from advlab.config.ranges import InRange
from advlab.errors import ArgumentError, ConfigError


def default_root(variable: str, folder: str) -> str:
    """A folder in the user's cache, unless the environment variable names another (see `advlab describe run`)."""
    base = os.environ.get("XDG_CACHE_HOME", "") or "~/.cache"
    return os.environ.get(variable, "") or f"{base}/advlab/{folder}"


@dataclass(frozen=True, kw_only=True)
class RunParams(InRange):
    """How a run is carried out; nothing here changes what an experiment measures, but seed, preset and precision."""

    seed: Annotated[int, Interval(ge=0, le=2**63 - 1)] = 0  # of the sample choice, of the noise and of training
    preset: Literal["tiny", "laptop", "paper"] = "paper"  # scales sample counts and accuracy_images; paper: the paper's
    dry: bool = False  # print the plan and write nothing
    resume: bool = False  # go on with the newest unfinished version of this configuration
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    precision: Literal["float32", "tf32", "bf16"] = "float32"
    batch_size: Annotated[int, Interval(ge=0, le=2**31)] = 0  # images a forward; 0: measured once per model and device
    #: processes of this machine that share the work, each with a GPU or with run.threads; short for cluster=local
    workers: Annotated[int, Interval(ge=0, le=1024)] = 0
    #: threads of a process on the CPU, on which the last bits of results depend; 0: the cores, shared among workers
    threads: Annotated[int, Interval(ge=0, le=1024)] = 0
    download: bool = True  # fetch missing datasets and weights
    #: at most so many images measure the clean accuracy; preset tiny: 200, laptop: 2000
    accuracy_images: Annotated[int, Ge(1)] = 10_000
    #: share of NaN or infinite scores above which a run is an error
    max_nonfinite: Annotated[float, Interval(ge=0, le=1)] = 0.01
    #: seconds between two checkpoints of a training, from which the same command goes on if it is ended; 0: none
    checkpoint_seconds: Annotated[float, Ge(0), Lt(math.inf)] = 60.0
    #: GiB of decoded images up to which a folder's split is kept in memory; a larger one is decoded whenever it is needed
    image_memory: Annotated[float, Ge(0), Lt(math.inf)] = 1.0
    #: width of figures: 6.9 inches, as both columns of a paper, or 3.35, as one, with text of 8 points
    figure: Literal["page", "column"] = "page"
    escape_csv: bool = False  # put ' before text that a spreadsheet would take for a formula
    data_root: str = field(default_factory=lambda: default_root("ADVLAB_DATA", "data"))
    cache_root: str = field(default_factory=lambda: default_root("ADVLAB_CACHE", "artifacts"))
    output_root: str = "./outputs"

    def __post_init__(self) -> None:
        """Refuse values out of range, what is no device, and folders without a name.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,3})?", self.device):
            raise ArgumentError(f"device must be auto, cpu, cuda, cuda:N or mps, got {self.device!r}")
        for name in ("data_root", "cache_root", "output_root"):
            if not getattr(self, name):
                raise ArgumentError(f"{name} must name a folder, got an empty text")

    def presets(self) -> dict[str, int]:
        """Dotted keys that the preset sets for every experiment, unless the user or the experiment's own presets do."""
        images = {"tiny": 200, "laptop": 2000}.get(self.preset)
        return {} if images is None else {"run.accuracy_images": images}

    def path(self, name: str) -> Path:
        """One of the `*_root` folders, with ~ expanded.

        Raises:
            ConfigError: it begins with ~, and the user has no home.
        """
        try:
            return Path(getattr(self, name)).expanduser()
        except RuntimeError as error:
            raise ConfigError(f"run.{name}: {error} Set HOME, or type run.{name}=/a/folder") from error
