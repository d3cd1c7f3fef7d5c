"""What the tests share: a cache of their own, a command-line runner, and the real data where they are to be had."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra.core.config_store import ConfigStore

from advlab.cli import main
from advlab.config import components
from advlab.plugins import loading
from advlab.plugins.names import registered_choices
from tests.helpers.commands import Ended
from tests.helpers.forker import Forker
from tests.helpers.unrendered import UNRENDERED, unrendered

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # before torch, as the command line does
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):  # else their threads wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One artifact cache and an empty data root for the whole session: networks are trained once, the user's are safe."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ADVLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.setenv("ADVLAB_DATA", str(tmp_path_factory.mktemp("data")))
    patch.delenv("ADVLAB_PLUGINS", raising=False)
    yield
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def _rendering() -> Iterator[Any]:
    """Figures are not rendered; what would render them."""
    from matplotlib.figure import Figure

    rendering = Figure.savefig
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", unrendered)
        yield rendering


@pytest.fixture(autouse=True)
def _figures_are_rendered_where_they_matter(request: pytest.FixtureRequest, _rendering: Any) -> Iterator[None]:
    """For a test with the marker `renders`, or in a file with it (`pytestmark`)."""
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("renders") is not None:
            patch.setattr("matplotlib.figure.Figure.savefig", _rendering)
        yield


@pytest.fixture(autouse=True)
def _plugins_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test's plug-ins register is forgotten after it."""
    monkeypatch.delenv(loading.VARIABLE, raising=False)
    targets = {family: dict(registry._targets) for family, registry in components.REGISTRIES.items()}
    loaded, choices = set(loading._loaded_plugins), dict(registered_choices)
    repo = ConfigStore.instance().repo
    stored = {family: dict(repo.get(family, {})) for family in components.REGISTRIES}
    yield
    os.environ.pop(loading.VARIABLE, None)
    for family, registry in components.REGISTRIES.items():
        registry._targets = targets[family]
    loading._loaded_plugins = loaded
    registered_choices.clear()
    registered_choices.update(choices)
    repo.update(stored)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line in this process, in an empty folder: fast, and coverage of the real dispatch."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Ended:
        capfd.readouterr()
        code = main.run(list(arguments))
        captured = capfd.readouterr()
        return Ended(code, captured.out, captured.err)

    return call


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., Ended]:
    """Run a command line in a process of its own, in an empty folder."""

    def call(*arguments: str, timeout: float = 300, env: dict[str, str] | None = None) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "advlab", *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=timeout, env={**os.environ, **(env or {})}, check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def forker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    made = Forker(tmp_path_factory.mktemp("forker"))
    yield made
    made.close()


@pytest.fixture
def forked(forker: Forker, tmp_path: Path) -> Callable[..., Ended]:
    """As `shell`, forked from a process that has imported all: for what is not about the start."""

    def call(*arguments: str) -> Ended:
        out, err = tmp_path / "stdout.txt", tmp_path / "stderr.txt"
        return forker.start(arguments, cwd=tmp_path, out=out, err=err, env=os.environ, before=UNRENDERED).wait(300)

    return call


@pytest.fixture(scope="session")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Unpack one archive of real data (MNIST, gtsrb, cifar10-jpeg, imagenet-samples), or skip and say so."""
    folder = tmp_path_factory.mktemp("real")

    def unpack(name: str) -> Path:
        script = SHARED / "data" / "unpack"
        if not script.is_file():
            pytest.skip(f"the real data {name} are not there ({script} is missing)")
        subprocess.run([str(script), str(folder), name], check=True)
        return folder

    return unpack
