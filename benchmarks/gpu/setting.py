"""What every step is told: the device, and whether it is a small trial or a pretended device, whose numbers mean nothing."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Setting:
    """How the steps run.

    Attributes:
        small: tiny sizes, so that all steps run on a CPU within a minute.
        pretend: a CUDA device is pretended whose tensors are CPU memory (`tests.helpers.pretended_cuda.py`).
    """

    small: bool = False
    pretend: bool = False

    @property
    def device(self) -> torch.device:
        """CUDA where there is one, real or pretended."""
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")

    @property
    def real(self) -> bool:
        """Whether times are those of a GPU at full size."""
        return self.device.type == "cuda" and not self.trial

    @property
    def trial(self) -> bool:
        """Whether sizes are tiny: only the script itself is tried."""
        return self.small or self.pretend

    def sized(self, full: int, small: int) -> int:
        """A size of a workload: `small` in a trial."""
        return small if self.trial else full

    def entered(self) -> contextlib.AbstractContextManager[Any]:
        """What holds while steps run."""
        if not self.pretend:
            return contextlib.nullcontext()
        # at the top this would make the benchmarks need the tests
        from tests.helpers.pretended_cuda import pretended_cuda

        return pretended_cuda()
