"""Real experiments give the same bytes of table, claims and figures on any number of workers with the same threads."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.tiny_runs import OPTIONS

LONG = ("confined_deepfool", "topology", "attack_survey", "curvature", "preprocessing", "adversarial_training")


def digests(folder: Path) -> dict[str, str]:
    """File -> digest, of what a run has made."""
    (run,) = folder.glob("outputs/*/**/v001")
    files = [run / "table.csv", run / "claims.csv", *sorted((run / "figures").iterdir())]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def made(name: str, workers: int, folder: Path, cache: Path) -> dict[str, str]:
    """The results of a tiny run on some workers; the cache, which holds the network, is that of all."""
    folder.mkdir()
    words = [f"experiment={name}", "run.preset=tiny", *OPTIONS[name], f"run.workers={workers}", "run.threads=1"]
    line = [sys.executable, "-m", "advlab", *words, f"run.cache_root={cache}"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    return digests(folder)


@pytest.mark.parametrize("name", ["isotropy", *(pytest.param(name, marks=pytest.mark.long) for name in LONG)])
def test_any_number_of_workers_gives_the_same_bytes(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    cache = tmp_path / "cache"
    alone = made(name, 0, tmp_path / "alone", cache)
    counts = (1, 2, 3, 5) if name in LONG else (2,)
    for workers in counts:
        fresh = tmp_path / f"cache{workers}"  # of stages: each number of workers makes its own
        fresh.mkdir()
        for kind in ("weights", "execution", "predictions", "content-digest"):
            if (cache / kind).exists():
                (fresh / kind).symlink_to(cache / kind)
        assert made(name, workers, tmp_path / str(workers), fresh) == alone
