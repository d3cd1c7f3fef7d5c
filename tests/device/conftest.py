"""The device of these tests: a CUDA device where there is one, else a pretended one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.helpers.pretended_cuda import pretended_cuda


@pytest.fixture
def cuda() -> Iterator[torch.device]:
    """`torch.device("cuda")`."""
    if torch.cuda.is_available():
        yield torch.device("cuda")
        return
    with pretended_cuda() as device:
        yield device
