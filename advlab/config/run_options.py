"""How a run is carried out: the options `run.*`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from advlab.errors import ConfigError


def default_root(variable: str, folder: str) -> str:
    """A folder in the user's cache, unless the environment variable names another (see `advlab describe run`)."""
    base = os.environ.get("XDG_CACHE_HOME", "") or "~/.cache"
    return os.environ.get(variable, "") or f"{base}/advlab/{folder}"


@dataclass(frozen=True, kw_only=True)
class RunParams:
    """How a run is carried out; nothing here changes what an experiment measures, but seed, preset and precision."""

    seed: int = 0  # of the sample choice, of the noise and of training
    preset: Literal["tiny", "laptop", "paper"] = "paper"  # scales sample counts and accuracy_images; paper: the paper's
    dry: bool = False  # print the plan and write nothing
    resume: bool = False  # go on with the newest unfinished version of this configuration
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    precision: Literal["float32", "tf32", "bf16"] = "float32"
    batch_size: int = 0  # images a forward; 0: measured once per model and device
    download: bool = True  # fetch missing datasets and weights
    accuracy_images: int = 10_000  # at most so many images measure the clean accuracy; preset tiny: 200, laptop: 2000
    max_nonfinite: float = 0.01  # share of NaN or infinite scores above which a run is an error
    escape_csv: bool = False  # put ' before text that a spreadsheet would take for a formula
    data_root: str = field(default_factory=lambda: default_root("ADVLAB_DATA", "data"))
    cache_root: str = field(default_factory=lambda: default_root("ADVLAB_CACHE", "artifacts"))
    output_root: str = "./outputs"

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the field and the range.
        """
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed must be between 0 and 2^63 - 1, got {self.seed}")
        if self.batch_size < 0:
            raise ValueError(f"batch_size must be 0 (measured) or more, got {self.batch_size}")
        if self.accuracy_images < 1:
            raise ValueError(f"accuracy_images must be at least 1, got {self.accuracy_images}")
        if not 0 <= self.max_nonfinite <= 1:
            raise ValueError(f"max_nonfinite is a share between 0 and 1, got {self.max_nonfinite}")
        if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,3})?", self.device):
            raise ValueError(f"device must be auto, cpu, cuda, cuda:N or mps, got {self.device!r}")
        for name in ("data_root", "cache_root", "output_root"):
            if not getattr(self, name):
                raise ValueError(f"{name} must name a folder, got an empty text")

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
