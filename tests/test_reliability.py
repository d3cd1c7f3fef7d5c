"""Whole runs that are killed, interrupted, raced, starved of disk and memory, and damaged: what a user finds afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import advlab
from advlab import progress as progress_module
from advlab.errors import Interrupted, ResultError
from advlab.experiment import Cell
from advlab.interrupts import Interrupts
from advlab.progress import PLAIN_LINES, Progress
from advlab.provenance import git_state, job_id
from advlab.results import RunDirectory
from advlab.storage import read_sealed, write_sealed

# A linear network on noise of 8 x 8 pixels that it classifies correctly, one sample a cell; faults come from the
# environment, which is no part of the configuration.
TOY = '''
import os, time
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn
from advlab import plugins
from advlab.experiments.aghdam2017 import isotropy

isotropy.CELL_VALUES = 1
measure = isotropy.Isotropy.measure

def observed(self, ctx, cell):
    time.sleep(float(os.environ.get("TOY_SLEEP", 0)))
    if os.environ.get("TOY_DEFECT") == cell.id:
        raise RuntimeError("a defect of the program")
    rows = measure(self, ctx, cell)
    if "TOY_LOG" in os.environ:
        with open(os.environ["TOY_LOG"], "a") as file:
            file.write(cell.id + "\\n")
    return rows

isotropy.Isotropy.measure = observed
isotropy.Isotropy.plot = lambda self, table: Figure()  # a figure takes longer than all the rest

def weights(sign=1.0):
    return sign * np.random.default_rng(0).normal(size=(4, 64)).astype(np.float32)

@plugins.dataset("toy_data")
def toy_data(split: str, count: int = 60):
    images = np.random.default_rng(1).integers(0, 256, (count, 8, 8), dtype=np.uint8)
    images[0] ^= int(os.environ.get("TOY_BRIGHTER", 0))
    labels = (images.reshape(count, 64) / 255 @ weights().T).argmax(1)
    return images, labels, list("abcd")

class Toy(nn.Module):
    def __init__(self, nan_above):
        super().__init__()
        self.nan_above = nan_above
        self.linear = nn.Linear(64, 4, bias=False)
        self.linear.weight.data = torch.from_numpy(weights())
        self.linear.weight.data[0, 0] += float(os.environ.get("TOY_WEIGHT", 0))

    def forward(self, x):
        if len(x) > int(os.environ.get("TOY_MEMORY", 10**9)):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        logits = self.linear(x.flatten(1))
        return torch.where((x.amax((1, 2, 3)) > self.nan_above)[:, None], torch.nan, logits)

@plugins.model("toy", input_shape=(1, 8, 8), classes=4, dataset="toy_data")
def toy(nan_above: float = 1e9):
    """A linear network."""
    return Toy(nan_above)
'''

# Forks a process for every command line it is told, from one in which torch is imported: a run then starts within
# milliseconds, and a signal at a random moment meets the run rather than the import.
FORKER = """
import json, os, sys
import hydra.utils, hydra._internal.config_loader_impl, hydra._internal.core_plugins.basic_sweeper, hydra._internal.hydra
import matplotlib.backends.backend_agg, matplotlib.backends.backend_pdf, matplotlib.figure, pandas, safetensors.numpy
import torch, torch.utils.flop_counter
import advlab.cli, advlab.commands, advlab.context, advlab.launch, advlab.models.load, advlab.models.tuning, advlab.plotting.draw
import advlab.probes.selection, advlab.probes.sweep, advlab.runner, advlab.training.loop

def child(order):
    for descriptor, path in ((1, order["out"]), (2, order["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(order["cwd"])
    os.environ.update(order["env"])
    sys.argv = ["advlab", *order["arguments"]]
    code = 1
    try:
        exec(order["before"], {"os": os})
        advlab.cli.main(order["arguments"])
    except SystemExit as end:
        code = end.code
    except BaseException:
        import traceback
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

for line in sys.stdin:
    order = json.loads(line)
    if "arguments" in order:
        pid = os.fork()
        if pid == 0:
            child(order)
        answer = pid
    else:
        done, status = os.waitpid(order["pid"], os.WNOHANG)
        answer = os.waitstatus_to_exitcode(status) if done else None
    print(json.dumps(answer), flush=True)
"""

RUN = [
    "model=toy", "probe.radii=[0.1,1,10]", "probe.trials=20", "probe.samples=25", "probe.confidence=0",
    "run.batch_size=60", "run.device=cpu",
]  # fmt: skip
FAMILY = "isotropy/toy_data-toy"


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, or minus the signal that killed it."""

    code: int
    out: str
    err: str


@dataclass
class Started:
    """A process of the forker."""

    pid: int
    poll: Callable[[], int | None]
    out: Path
    err: Path

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait until something is to be seen while the process runs."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"nothing was seen: {self.err.read_text()}"
            time.sleep(0.005)

    def wait(self, seconds: float = 100) -> Ended:
        end = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                self.kill(signal.SIGKILL)
                raise AssertionError(f"still running: {self.err.read_text()}")
            time.sleep(0.01)
        return Ended(code, self.out.read_text(), self.err.read_text())


class Workshop:
    """Starts runs in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugin = folder / "toy.py"
        self.plugin.write_text(TOY)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "ADVLAB_CACHE": str(folder / "cache"), "MPLBACKEND": "agg"}
        for name in [name for name in environment if name.startswith("SLURM_")]:
            del environment[name]
        self.environment = environment
        (folder / "forker.py").write_text(FORKER)
        self.process = subprocess.Popen(
            [sys.executable, str(folder / "forker.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment,
        )  # fmt: skip
        self.count = 0

    def ask(self, order: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, *arguments: str, root: Path | None = None, before: str = "", **env: object) -> Started:
        """Start `advlab` with the plug-in; `root` is the output root."""
        self.count += 1
        out, err = self.folder / f"{self.count}.out", self.folder / f"{self.count}.err"
        for path in (out, err):
            path.touch()
        line = ["--plugin", str(self.plugin), *arguments, *([f"run.output_root={root}"] if root is not None else [])]
        order = {
            "arguments": line, "env": {key: str(value) for key, value in env.items()}, "cwd": str(self.folder),
            "before": before, "out": str(out), "err": str(err),
        }  # fmt: skip
        pid: int = self.ask(order)
        return Started(pid, lambda: self.ask({"pid": pid}), out, err)

    def run(self, *arguments: str, root: Path | None = None, before: str = "", **env: object) -> Ended:
        return self.start(*arguments, root=root, before=before, **env).wait()


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    made = Workshop(tmp_path_factory.mktemp("workshop"))
    yield made
    assert made.process.stdin is not None
    made.process.stdin.close()
    made.process.wait(20)


@pytest.fixture(scope="module")
def reference(workshop: Workshop) -> RunDirectory:
    """An uninterrupted run."""
    ended = workshop.run(*RUN, root=workshop.folder / "reference")
    assert ended.code == 0, ended.err
    return RunDirectory(workshop.folder / "reference" / FAMILY / "v001")


@pytest.fixture(scope="module")
def table(reference: RunDirectory) -> bytes:
    return reference.table_path.read_bytes()


def version(root: Path, number: int = 1) -> RunDirectory:
    return RunDirectory(root / FAMILY / f"v{number:03d}")


def cells(run: RunDirectory) -> list[Path]:
    return sorted((run.path / "cells").glob("*.csv"))


def snapshot(run: RunDirectory) -> dict[str, tuple[int, int, bytes]]:
    files = [path for path in run.path.rglob("*") if path.is_file() and path.name != ".lock"]
    return {
        str(p.relative_to(run.path)): (p.stat().st_mtime_ns, p.stat().st_ino, p.read_bytes()) for p in sorted(files)
    }


def clean(text: str) -> None:
    """Nothing that a user should not see."""
    assert "Traceback" not in text, text
    assert "Logging error" not in text, text
    assert "\r" not in text


def complete(ended: Ended, run: RunDirectory, table: bytes) -> None:
    assert ended.code == 0, ended.err
    clean(ended.out + ended.err)
    assert run.table_path.read_bytes() == table
    assert run.finished()
    assert run.damaged() == []
    assert list(run.path.rglob("*.tmp")) == []


@pytest.fixture
def begun(workshop: Workshop, tmp_path: Path) -> RunDirectory:
    """A run that was killed after some cells."""
    started = workshop.start(*RUN, root=tmp_path, TOY_SLEEP=0.02)
    started.until(lambda: len(cells(version(tmp_path))) >= 5)
    started.kill(signal.SIGKILL)
    assert started.wait().code == -signal.SIGKILL
    assert len(cells(version(tmp_path))) < 25
    return version(tmp_path)


# kills


def test_twenty_kills_at_random_moments(workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    """After each, what stands is whole; resumed, no finished cell is measured again and the table has the same bytes."""
    started = time.monotonic()
    workshop.run(*RUN, root=tmp_path / "timed", TOY_SLEEP=0.02)
    duration = time.monotonic() - started
    moments, kills, within = random.Random(0), 0, 0
    for number in range(20):
        if kills >= 20:
            break
        root, log = tmp_path / str(number), tmp_path / f"{number}.log"
        run = version(root)
        for _ in range(5):
            if run.plan_path.exists():
                process = workshop.start("resume", str(run.path), TOY_SLEEP=0.02, TOY_LOG=log)
            else:
                process = workshop.start(*RUN, "run.resume=true", root=root, TOY_SLEEP=0.02, TOY_LOG=log)
            time.sleep(moments.uniform(0, 0.8 * duration))
            process.kill(signal.SIGKILL)
            ended = process.wait()
            if ended.code == 0:
                break
            assert ended.code == -signal.SIGKILL
            kills += 1
            within += 0 < len(cells(run)) < 25
            assert not run.finished() or run.damaged() == []
        before = {
            name: entry for name, entry in snapshot(run).items() if name.startswith("cells/") and "tmp" not in name
        }
        if number % 2 and run.plan_path.exists():
            ended = workshop.run("resume", str(run.path), TOY_LOG=log)
        else:
            ended = workshop.run(*RUN, "run.resume=true", root=root, TOY_LOG=log)
        run = RunDirectory.versions(root / FAMILY)[-1]  # one that was killed before its plan is passed over
        complete(ended, run, table)
        after = snapshot(run)
        if run.path.name == "v001":
            assert {name: after[name] for name in before} == before
        measured = log.read_text().split()
        repeated = len(measured) - len(set(measured))
        assert repeated <= 5  # at most the one that each kill cut off before it was written
    assert kills >= 20
    assert within >= 5  # the moments have met the cells


def test_with_nothing_left_to_do_nothing_changes(workshop: Workshop, reference: RunDirectory) -> None:
    before = snapshot(reference)
    root = reference.path.parent.parent.parent
    for ended in (
        workshop.run(*RUN, "run.resume=true", root=root),
        workshop.run("resume", str(reference.path)),
    ):
        assert ended.code == 0, ended.err
        assert "nothing left to do" in ended.out
        clean(ended.err)
    assert snapshot(reference) == before
    assert [run.path.name for run in RunDirectory.versions(root / FAMILY)] == ["v001"]


# signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_real_process_cleanly(
    number: signal.Signals, code: int, workshop: Workshop, table: bytes, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "advlab", "--plugin", str(workshop.plugin), *RUN, f"run.output_root={tmp_path}/with space"],
        env={**workshop.environment, "TOY_SLEEP": "0.2"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=tmp_path,
    )  # fmt: skip
    run = version(tmp_path / "with space")
    end = time.monotonic() + 100
    while len(cells(run)) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    clean(out + err)
    command = f"advlab --plugin {workshop.plugin} resume '{run.path}'"
    assert err.splitlines()[-1] == f"interrupted; go on with: {command}"
    assert run.manifest()["status"] == "interrupted"
    assert run.manifest()["reason"] == number.name
    assert list(run.path.rglob("*.tmp")) == []
    with pytest.raises(ResultError, match="is interrupted: go on with"):
        advlab.load(run.path)
    complete(workshop.run("resume", str(run.path)), run, table)
    assert advlab.load(run.path).manifest["cells_resumed"] >= 2


def test_many_signals_at_random_moments(workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    moments = random.Random(1)
    runs = []
    for number in range(8):
        root = tmp_path / str(number)
        process = workshop.start(*RUN, root=root, TOY_SLEEP=0.01)
        process.until(lambda root=root: (root / FAMILY).exists())  # type: ignore[misc]
        time.sleep(moments.uniform(0, 0.6))
        process.kill(signal.SIGTERM)
        if number % 2:  # an impatient user
            with contextlib.suppress(ProcessLookupError):
                process.kill(signal.SIGTERM)
        ended = process.wait()
        assert ended.code in (0, 143), ended.err
        clean(ended.err)
        run = version(root)
        if ended.code == 143:
            assert "advlab --plugin" in ended.err or "begins anew" in ended.err
            assert not run.finished() or run.damaged() == []
            runs.append(run)
    assert len(runs) >= 3
    complete(workshop.run("resume", str(runs[0].path)), runs[0], table)


def test_a_signal_during_training(workshop: Workshop, tmp_path: Path) -> None:
    arguments = ("model=lenet", "dataset=digits", "recipe.epochs=1000", "run.device=cpu")
    process = workshop.start(*arguments, root=tmp_path / "out", ADVLAB_CACHE=tmp_path / "cache")
    process.until(lambda: "training lenet" in process.err.read_text())
    time.sleep(0.5)
    process.kill(signal.SIGTERM)
    ended = process.wait(20)
    assert ended.code == 143
    clean(ended.err)
    assert ended.err.splitlines()[-1] == "interrupted before the first measurement: the same command begins anew"
    assert not (tmp_path / "out").exists()
    assert [path for path in (tmp_path / "cache" / "weights").iterdir() if path.is_dir()] == []


def test_a_signal_before_a_resumed_run_measures(workshop: Workshop, begun: RunDirectory) -> None:
    before = "import advlab.prepare; advlab.prepare.Preparation._data = lambda *_: os.kill(os.getpid(), 15)"
    ended = workshop.run("resume", str(begun.path), before=before)
    assert ended.code == 143
    clean(ended.err)
    assert f"resume {begun.path}" in ended.err


def test_the_shield_holds_signals_back() -> None:
    interrupts, seen = Interrupts(), []
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def write() -> None:
        with interrupts.active(), interrupts.shield():
            with interrupts.shield():
                os.kill(os.getpid(), signal.SIGTERM)
                seen.append("inner")
            seen.append("outer")

    with pytest.raises(Interrupted) as caught:
        write()
    assert seen == ["inner", "outer"]
    assert caught.value.exit_code == 143
    with pytest.raises(Interrupted), interrupts.active():
        signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


# several processes


def test_a_second_process_on_the_same_run_is_refused(workshop: Workshop, begun: RunDirectory, table: bytes) -> None:
    first = workshop.start("resume", str(begun.path), TOY_SLEEP=0.1)
    first.until(lambda: "going on with" in first.err.read_text())
    root = begun.path.parent.parent.parent
    for second in (workshop.run("resume", str(begun.path)), workshop.run(*RUN, "run.resume=true", root=root)):
        assert second.code == 2
        assert second.err.splitlines()[-1] == f"advlab: {begun.path} is being worked on by another process"
        clean(second.err)
    complete(first.wait(), begun, table)


def test_sixteen_processes_at_once(workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    """With an empty cache: each has a version of its own, and what is shared is made once."""
    cache = tmp_path / "cache"
    processes = [workshop.start(*RUN, root=tmp_path, ADVLAB_CACHE=cache) for _ in range(16)]
    for process in processes:
        ended = process.wait()
        assert ended.code == 0, ended.err
        clean(ended.err)
    runs = RunDirectory.versions(tmp_path / FAMILY)
    assert [run.path.name for run in runs] == [f"v{number:03d}" for number in range(1, 17)]
    assert len({run.table_path.read_bytes() for run in runs}) == 1
    assert all(run.finished() and not run.damaged() for run in runs)
    assert [len([path for path in kind.iterdir() if path.is_dir()]) for kind in sorted(cache.iterdir())] == [1, 1]
    ours, theirs = pd.read_csv(runs[0].table_path), pd.read_csv(table_file(table, tmp_path))
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-5, atol=1e-7)


def table_file(table: bytes, folder: Path) -> Path:
    (folder / "reference.csv").write_bytes(table)
    return folder / "reference.csv"


def test_a_requeued_job_goes_on_with_its_run(workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    started = workshop.start(*RUN, root=tmp_path, TOY_SLEEP=0.02, SLURM_JOB_ID=77)
    started.until(lambda: len(cells(version(tmp_path))) >= 3)
    started.kill(signal.SIGKILL)
    started.wait()
    before = snapshot(version(tmp_path))
    other = workshop.run(*RUN, root=tmp_path, SLURM_JOB_ID=78)
    complete(other, version(tmp_path, 2), table)
    requeued = workshop.run(*RUN, root=tmp_path, SLURM_JOB_ID=77, SLURM_RESTART_COUNT=1)
    complete(requeued, version(tmp_path), table)
    assert {k: v for k, v in snapshot(version(tmp_path)).items() if k in before and k.startswith("cells/")} == {
        k: v for k, v in before.items() if k.startswith("cells/")
    }
    again = workshop.run(*RUN, root=tmp_path, SLURM_JOB_ID=77, SLURM_RESTART_COUNT=2)  # a sweep's earlier, finished run
    assert "nothing left to do" in again.out
    assert version(tmp_path).plan()["job"] == version(tmp_path).manifest()["job"] == "77"
    changed = workshop.run(*RUN, "run.seed=1", root=tmp_path, SLURM_JOB_ID=77)
    assert changed.code == 0
    assert version(tmp_path, 3).finished()


def test_job_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    assert job_id() == ""
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    assert job_id() == "12"
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "9")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert job_id() == "9_3"


# disks


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small file system, and mounts it again with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def mount(options: str) -> Path:
        nonlocal mounted
        options = f"remount,{options}" if mounted else options
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
        if done.returncode:
            pytest.skip("a small file system can be mounted by root only")
        mounted = True
        return folder

    try:
        yield mount
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_full_disk_and_room_made(workshop: Workshop, table: bytes, disk: Callable[[str], Path]) -> None:
    root = disk("size=80k")
    ended = workshop.run(*RUN, root=root)
    assert ended.code == 1
    clean(ended.err)
    assert "No space left on device" in ended.err.splitlines()[-1]
    assert "run.resume=true" in ended.err.splitlines()[-1]
    run = version(root)
    assert not run.finished()
    assert 3 < len(cells(run)) < 25
    before = snapshot(run)
    again = workshop.run(*RUN, "run.resume=true", root=root)  # still full
    assert again.code == 1
    clean(again.err)
    disk("size=10m")
    complete(workshop.run(*RUN, "run.resume=true", root=root), run, table)
    assert all(snapshot(run)[name] == entry for name, entry in before.items() if name.startswith("cells/"))


@pytest.mark.parametrize("writes", [1, 2, 4, 28, 29, 30, 31])
def test_a_disk_that_fills_at_each_stage(writes: int, workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    """Configuration, plan, cells, table, claims, figures and manifest: no disk is needed to refuse a write."""
    before = f"""
import errno
from pathlib import Path
replace, left = Path.replace, [{writes}]
def full(self, target):
    left[0] -= 1
    if left[0] < 0:
        raise OSError(errno.ENOSPC, "No space left on device")
    return replace(self, target)
Path.replace = full
"""
    ended = workshop.run(*RUN, root=tmp_path, before=before)
    assert ended.code == 1, ended.err
    clean(ended.err)
    assert "No space left on device" in ended.err.splitlines()[-1]
    assert not version(tmp_path).finished()
    ended = workshop.run(*RUN, "run.resume=true", root=tmp_path)
    complete(ended, RunDirectory.versions(tmp_path / FAMILY)[-1], table)


def test_a_read_only_output_root(workshop: Workshop, begun: RunDirectory, disk: Callable[[str], Path]) -> None:
    root = disk("size=10m")
    subprocess.run(["cp", "-r", str(begun.path.parent.parent), str(root)], check=True)
    disk("ro")
    for arguments in (RUN, [*RUN, "run.resume=true"]):
        ended = workshop.run(*arguments, root=root)
        assert ended.code == 1
        clean(ended.err)
        assert "Read-only file system" in ended.err.splitlines()[-1]
        assert "run.output_root=..." in ended.err.splitlines()[-1]
    assert not version(root).finished()


# damage and changes


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 2
    path.write_bytes(data)


@pytest.fixture
def copied(reference: RunDirectory, tmp_path: Path) -> RunDirectory:
    """A complete run, to be damaged."""
    run = version(tmp_path)
    run.path.parent.mkdir(parents=True)
    subprocess.run(["cp", "-r", str(reference.path), str(run.path)], check=True)
    return run


@pytest.mark.parametrize(
    "name",
    [
        "cells/samples-00003.csv", "table.csv", "claims.csv", "manifest.json", "config.yaml", "figures/isotropy.png",
        "plan.json",
    ],
)  # fmt: skip
def test_a_flipped_bit_is_seen_and_mended(
    name: str, workshop: Workshop, copied: RunDirectory, table: bytes, tmp_path: Path
) -> None:
    flip(copied.path / name)
    log = tmp_path / "log"
    log.touch()
    ended = workshop.run(*RUN, "run.resume=true", root=tmp_path, TOY_LOG=log)
    assert "nothing left to do" not in ended.out
    run = copied if name != "plan.json" else version(tmp_path, 2)
    complete(ended, run, table)
    measured = {"cells/samples-00003.csv": ["samples-00003"], "plan.json": [f"samples-{i:05d}" for i in range(25)]}
    assert log.read_text().split() == measured.get(name, [])
    if name.startswith("cells"):
        assert "does not match its digest" in ended.err
        assert (copied.path / f"{name}.quarantined-1").exists()
    if name in ("table.csv", "claims.csv", "manifest.json", "figures/isotropy.png"):
        assert f"{name} is missing or damaged, and is made again" in ended.err
    if name == "config.yaml":
        assert "config.yaml does not match plan.json, and is written anew" in ended.err
        assert run.nodes() == run.plan()["config"]
    if name == "plan.json":
        assert "plan.json is damaged" in ended.err
        refused = workshop.run("resume", str(copied.path))
        assert refused.code == 2
        clean(refused.err)
        assert "plan.json is damaged" in refused.err
    assert "nothing left to do" in workshop.run(*RUN, "run.resume=true", root=tmp_path).out


@pytest.mark.parametrize("name", ["facts.json", "arrays.safetensors"])
def test_damaged_artifacts_are_made_again(name: str, workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    subprocess.run(["cp", "-r", workshop.environment["ADVLAB_CACHE"], str(cache)], check=True)
    for path in (cache / "predictions").glob(f"*/{name}"):
        flip(path)
    ended = workshop.run(*RUN, root=tmp_path, ADVLAB_CACHE=cache)
    complete(ended, version(tmp_path), table)
    assert "quarantined-1 and made again" in ended.err


def test_a_changed_configuration_is_refused(workshop: Workshop, copied: RunDirectory) -> None:
    text = copied.config_path.read_text()
    for before, after in (
        ("trials: 20", "trials: 21"),
        ("batch_size: 60", "batch_size: 61"),
        ("samples: 25", "sample: 25"),
    ):
        assert before in text
        copied.config_path.write_text(text.replace(before, after))
        ended = workshop.run("resume", str(copied.path))
        assert ended.code == 2
        clean(ended.err)
        assert "config.yaml does not match plan.json: one of them was changed" in ended.err


@pytest.mark.parametrize("key", ["digest", "config", "cells", "weights", "data"])
def test_a_changed_plan_is_refused(key: str, workshop: Workshop, begun: RunDirectory) -> None:
    """Also when its seal is right."""
    plan = read_sealed(begun.plan_path)
    changed = {
        "digest": "0" * 64,
        "config": {"run": {}},
        "cells": plan["cells"][::-1],
        "weights": "1" * 64,
        "data": "1" * 64,
    }
    write_sealed(begun.plan_path, {**{k: v for k, v in plan.items() if k != "seal"}, key: changed[key]})
    ended = workshop.run("resume", str(begun.path))
    assert ended.code == 2
    clean(ended.err)
    assert "start a new run" in ended.err
    assert not begun.table_path.exists()


@pytest.mark.parametrize(
    ("variable", "what"), [("TOY_WEIGHT", "the weights of toy"), ("TOY_BRIGHTER", "the images of toy_data")]
)
def test_other_weights_or_images_are_refused(variable: str, what: str, workshop: Workshop, begun: RunDirectory) -> None:
    ended = workshop.run("resume", str(begun.path), before=f"os.environ[{variable!r}] = '1'")
    assert ended.code == 2
    clean(ended.err)
    assert f"{what}" in ended.err
    assert "are not those that this run began with" in ended.err


def test_a_defect_keeps_its_traceback_and_what_was_measured(workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    ended = workshop.run(*RUN, root=tmp_path, TOY_DEFECT="samples-00007")
    assert ended.code == 1
    assert "RuntimeError: a defect of the program" in ended.err
    run = version(tmp_path)
    assert run.manifest()["status"] == "failed"
    assert "a defect of the program" in run.manifest()["reason"]
    assert "Traceback" in run.log_path.read_text()
    assert len(cells(run)) == 7
    complete(workshop.run(*RUN, "run.resume=true", root=tmp_path), run, table)


# numbers


def test_nan_scores_are_counted_kept_and_limited(workshop: Workshop, tmp_path: Path) -> None:
    arguments = [*RUN, "model.nan_above=3"]
    refused = workshop.run(*arguments, root=tmp_path)
    assert refused.code == 2
    clean(refused.err)
    assert "run.max_nonfinite=0.01 allows" in refused.err
    run = version(tmp_path)
    assert run.manifest()["status"] == "failed"
    allowed = workshop.run(*arguments, "run.resume=true", "run.max_nonfinite=1", root=tmp_path)
    assert allowed.code == 0, allowed.err
    frame = advlab.load(run.path).table
    counted = run.manifest()["nonfinite"]
    assert counted["count"] == frame["nonfinite"].sum() > 0
    assert counted["of"] == frame["trials"].sum()
    assert counted["samples"] == sorted(frame.loc[frame["nonfinite"] > 0, "sample"].unique().tolist())
    assert frame.loc[frame["nonfinite"] == 0, "range"].notna().all()
    assert frame.loc[frame["nonfinite"] == frame["trials"], "range"].isna().all()
    assert f"{counted['count']} of {counted['of']} scores are NaN" in allowed.err


def agree(run: RunDirectory, reference: RunDirectory) -> None:
    ours, theirs = advlab.load(run.path).table, advlab.load(reference.path).table
    ours, theirs = ours.drop(columns="noise_floor"), theirs.drop(columns="noise_floor")  # itself a rounding error
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-5, atol=1e-7)
    assert theirs["range"].max() > 0.01


def test_out_of_memory_halves_the_batch(workshop: Workshop, reference: RunDirectory, tmp_path: Path) -> None:
    """The card had more room when the batch size was measured."""
    ended = workshop.run(*RUN, root=tmp_path, TOY_MEMORY=16)
    assert ended.code == 0, ended.err
    clean(ended.err)
    run = version(tmp_path)
    agree(run, reference)
    manifest = run.manifest()
    assert manifest["batch_halvings"] == [60, 30]
    assert "out of memory with 60 images a forward: going on with 30" in ended.err
    assert reference.manifest()["forwards"] - manifest["forwards"] in (0, 60)  # the clean accuracy is kept in the cache


def test_a_batch_size_that_never_fits_is_halved(workshop: Workshop, reference: RunDirectory, tmp_path: Path) -> None:
    ended = workshop.run(*RUN, "run.batch_size=64", root=tmp_path, TOY_MEMORY=16, ADVLAB_CACHE=tmp_path / "cache")
    assert ended.code == 0, ended.err
    clean(ended.err)
    agree(version(tmp_path), reference)
    assert version(tmp_path).manifest()["batch_halvings"][0] in (60, 64)


def test_out_of_memory_with_one_image_and_other_errors_are_not_retried() -> None:
    import torch
    from torch import Tensor

    from advlab.models.classifier import Classifier
    from advlab.models.forward import Execution, Forward

    calls: list[int] = []

    class Starved(Classifier):
        text, room = "CUDA out of memory", 0

        def forward(self, x: Tensor) -> Tensor:
            calls.append(len(x))
            if len(x) > self.room:
                raise RuntimeError(self.text)
            logits: Tensor = self.network(x)
            return logits

    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    Starved.room = 2
    classifier = Starved(network, name="s", shape=(1, 2, 2), classes=3, mean=None, std=None)
    x = torch.rand(37, 1, 2, 2)
    calls.clear()
    forward = Forward(classifier, Execution(37, "contiguous", "float32"))
    with torch.inference_mode():
        logits = forward(x)
        assert torch.allclose(logits, network(x), atol=1e-6)
        assert forward.halvings == [37, 19, 10, 5, 3]
        assert forward.images == 37
        calls.clear()
        forward(x)
        assert max(calls) == 2  # what did not fit is not tried again
        Starved.room = 0
        with pytest.raises(RuntimeError, match="out of memory"):
            forward(x)
        Starved.text = "mat1 and mat2 shapes cannot be multiplied"
        calls.clear()
        with pytest.raises(RuntimeError, match="shapes"):
            Forward(classifier, Execution(37, "contiguous", "float32"))(x)
    assert calls == [37]


@pytest.mark.parametrize("size", [7, 500])
def test_the_batch_size_changes_nothing(size: int, workshop: Workshop, reference: RunDirectory, tmp_path: Path) -> None:
    ended = workshop.run(*RUN, f"run.batch_size={size}", root=tmp_path)
    assert ended.code == 0, ended.err
    agree(version(tmp_path), reference)
    assert version(tmp_path).manifest()["execution"]["batch_size"] == size
    assert version(tmp_path).plan()["digest"] == reference.plan()["digest"]


# what a run leaves behind


def test_the_manifest_is_complete(reference: RunDirectory) -> None:
    manifest = reference.manifest()
    assert manifest["status"] == "complete"
    assert manifest["experiment"] == "isotropy"
    assert manifest["config"]["run"]["seed"] == 0
    assert manifest["config"]["probe"]["trials"] == 20
    assert manifest["config"] == reference.plan()["config"] == reference.nodes()
    assert manifest["device"] == "cpu"
    assert manifest["threads"] == 1
    assert {"python", "advlab", "torch", "numpy"} <= manifest["versions"].keys()
    assert all(text and text != "not installed" for text in manifest["versions"].values())
    assert manifest["git"] == {} or (len(manifest["git"]["commit"]) == 40 and type(manifest["git"]["dirty"]) is bool)
    assert len(manifest["digest"]) == len(manifest["dataset"]["digest"]) == len(manifest["model"]["weights"]) == 64
    assert manifest["dataset"]["images"] == 60
    assert manifest["clean_accuracy"]["accuracy"] == 1
    assert 0 < manifest["seconds"] < 600
    assert manifest["peak_memory_bytes"]["host"] > 10**7
    assert (manifest["rows"], manifest["cells"], manifest["cells_resumed"]) == (25 * 2 * 3, 25, 0)
    forwards = 25 * (2 * 3 * 20 + 1) + 2 * 10 * 2 * 20
    assert manifest["forwards"] in (forwards, forwards + 60)  # the clean accuracy may come from the cache
    assert manifest["backwards"] == 0
    assert manifest["batch_halvings"] == []
    assert manifest["nonfinite"]["count"] == 0
    assert manifest["execution"]["batch_size"] == 60
    assert manifest["command"][0] == "advlab"
    assert RUN[1] in manifest["command"]
    assert set(manifest["files"]) == {
        "config.yaml", "plan.json", "table.csv", "claims.csv", "figures/isotropy.png", "figures/isotropy.pdf",
    }  # fmt: skip


def test_the_run_loads_and_its_log_tells_what_happened(reference: RunDirectory) -> None:
    loaded = advlab.load(str(reference.path))
    assert len(loaded.table) == 150
    assert loaded.table["range"].dtype == np.float64
    assert set(loaded.claims["verdict"]) <= {"holds", "does not hold", "undecided", "not measured"}
    log = reference.log_path.read_text()
    assert "clean accuracy of toy on toy_data: 100.00 %" in log
    assert "150 rows in" in log
    with pytest.raises(ResultError, match="Its versions"):
        advlab.load(reference.path.parent)


def test_a_dry_run_writes_nothing(workshop: Workshop, copied: RunDirectory, tmp_path: Path) -> None:
    flip(copied.path / "cells/samples-00001.csv")
    before = snapshot(copied)
    ended = workshop.run(*RUN, "run.dry=true", "run.resume=true", root=tmp_path, ADVLAB_CACHE=tmp_path / "cache")
    assert ended.code == 0, ended.err
    assert "cells      25" in ended.out
    clean(ended.err)
    assert snapshot(copied) == before
    assert len(RunDirectory.versions(tmp_path / FAMILY)) == 1
    assert not (tmp_path / "cache").exists()


def test_the_checkout_is_named() -> None:
    state = git_state()
    assert state == {} or set(state) == {"commit", "dirty"}


def test_ids_of_cells_are_file_names() -> None:
    assert Cell("samples-00001.a_b").payload == {}
    for name in ("", "../x", "a/b", ".hidden", "a b", "a\n", "é"):
        with pytest.raises(ValueError, match="id of a cell"):
            Cell(name)


# progress


class Clock:
    """Time that passes when told."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.mark.parametrize(
    "pace",
    [
        lambda share: 1.0, lambda share: 0.001, lambda share: 60.0, lambda share: 1e-3 if share < 0.95 else 100.0,
        lambda share: 100.0 if share < 0.05 else 1e-3, lambda share: 10 ** (4 * share - 2), lambda share: 10 ** (2 - 4 * share),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("total", "done"), [(1000, 0), (1000, 990), (7, 0), (1, 0), (100_000, 5)])
def test_redirected_progress_is_a_bounded_number_of_lines(
    pace: Callable[[float], float],
    total: int,
    done: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    with Progress("isotropy", total, done) as progress:
        for step in range(done + 1, total + 1):
            clock.now += pace(step / total)
            progress.update(step, "loss 0.1")
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert "\r" not in captured.err
    assert len(lines) <= PLAIN_LINES
    if clock.now > 5 * 3 * PLAIN_LINES and total - done >= PLAIN_LINES and pace(0) == pace(1):
        assert len(lines) >= PLAIN_LINES - 2
    assert all(line.startswith("isotropy: ") and " s left, loss 0.1" in line for line in lines)


def test_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    progress = Progress("x", 120, 20)
    clock.now = 100.0
    progress.update(70)
    progress.close()
    assert capsys.readouterr().err == "x: 70 of 120 (58 %), 100 s left\n"


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Progress("isotropy", 3) as progress:
        for step in range(1, 4):
            progress.update(step)
    assert "isotropy" in capsys.readouterr().err
