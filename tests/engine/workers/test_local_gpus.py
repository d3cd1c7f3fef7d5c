"""Which GPUs workers of this machine share, and when torch is asked for them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from advlab.engine.workers import local_processes


def run_here(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh process."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_machine_without_a_driver_is_not_asked_for_gpus_by_torch() -> None:
    """Torch takes the runner seconds and half a gigabyte."""
    ended = run_here(
        "import ctypes, sys\n"
        "from pathlib import Path\n"
        "def missing(name):\n"
        "    raise OSError(name)\n"
        "from advlab.engine.workers.local_processes import visible_gpus\n"
        "ctypes.CDLL, Path.exists = missing, lambda path: False\n"
        "assert visible_gpus('auto') == []\n"
        "assert 'torch' not in sys.modules\n"
    )
    assert ended.returncode == 0, ended.stderr


def test_with_a_driver_torch_says_which_gpus_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(local_processes, "no_driver", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert local_processes.visible_gpus("auto") == ["0", "1"]
    assert local_processes.visible_gpus("cpu") == []
