"""A workshop that starts runs, an uninterrupted run to compare with, one that was killed, and one to be damaged."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advlab.store.run_directory import RunDirectory
from tests.helpers.commands import Ended
from tests.helpers.forker import Forker
from tests.helpers.run_files import FAMILY, RUN, cells, version
from tests.helpers.run_workshop import Workshop
from tests.helpers.strangers import RUNS, contents


@pytest.fixture(scope="session")
def workshop(forker: Forker, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"), forker)


@pytest.fixture(scope="session")
def reference(workshop: Workshop) -> RunDirectory:
    """An uninterrupted run."""
    ended = workshop.run(*RUN, root=workshop.folder / "reference")
    assert ended.code == 0, ended.err
    return RunDirectory(workshop.folder / "reference" / FAMILY / "v001")


@pytest.fixture(scope="session")
def table(reference: RunDirectory) -> bytes:
    return reference.table_path.read_bytes()


@pytest.fixture
def killed_run(workshop: Workshop, tmp_path: Path) -> RunDirectory:
    """A run that was killed after some cells."""
    started = workshop.start(*RUN, root=tmp_path, TOY_STOP="samples-00005")
    started.until(lambda: len(cells(version(tmp_path))) >= 5)
    started.kill(signal.SIGKILL)
    assert started.wait().code == -signal.SIGKILL
    assert len(cells(version(tmp_path))) == 5
    return version(tmp_path)


@pytest.fixture
def copied(reference: RunDirectory, tmp_path: Path) -> RunDirectory:
    """A complete run, to be damaged."""
    run = version(tmp_path)
    run.path.parent.mkdir(parents=True)
    subprocess.run(["cp", "-r", str(reference.path), str(run.path)], check=True)
    return run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("strangers")


@pytest.fixture
def stranger(
    request: pytest.FixtureRequest, cli: Callable[..., Ended], run_folder: Path, tmp_path: Path
) -> Iterator[Path]:
    """A complete run below a folder of the test's own, beside what no run may touch."""
    line, family = RUNS[getattr(request, "param", "points")]
    made = run_folder / "outputs" / family / "v001"
    if not made.is_dir():
        assert cli(*line, f"run.output_root={run_folder / 'outputs'}").code == 0
    (tmp_path / "victim").mkdir()
    for name in ("data.csv", ".data.csv.1.tmp", "config.yaml", "plan.json", "manifest.json", "log.txt", "isotropy.png"):
        (tmp_path / "victim" / name).write_text(f"the user's {name}\n")
    before = contents(tmp_path / "victim")
    shutil.copytree(made, tmp_path / "run")
    yield tmp_path / "run"
    assert contents(tmp_path / "victim") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "victim"]
