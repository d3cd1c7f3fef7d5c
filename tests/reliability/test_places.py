"""Places that cannot be used (another user's, a name that is too long, a dangling link) end a command in one line, exit 2."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.commands import Ended
from tests.helpers.strangers import ISOTROPY, POINTS

NOBODY = 65534
LONG, DEEP = "x" * 300, "/".join(["x" * 200] * 30)


def refused(ended: Ended, *words: str) -> None:
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    assert ended.err.splitlines()[-1].startswith("advlab: "), ended.err
    for word in words:
        assert word in ended.err
    assert len(ended.err) < 9000


@contextlib.contextmanager
def as_another_user() -> Iterator[None]:
    """Permissions do not bind root: act as nobody, or as who we are."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that any user may look into, with another user's run, whose folder is then locked."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder)


LOCKED: list[tuple[list[str], list[str]]] = [
    (["plot", "outputs/hard_points/v001"], ["could not be read"]),
    (["resume", "outputs/hard_points/v001"], ["could not be read"]),
    ([*POINTS, "run.output_root=outputs"], ["run.output_root="]),
    ([*POINTS, "run.output_root=outputs", "run.resume=true"], ["run.output_root="]),
    ([*POINTS, "run.output_root=outputs/deeper"], ["run.output_root="]),
    (["-m", *POINTS, "run.seed=0,1", "run.output_root=outputs"], ["run.output_root="]),
    ([*ISOTROPY, "run.cache_root=cache", "run.output_root=mine"], ["run.cache_root="]),
    (["dataset=folder", "dataset.root=outputs/images", "run.output_root=mine"], ["outputs/images"]),
    (["model.checkpoint=outputs/net.safetensors", "run.output_root=mine"], ["outputs/net.safetensors"]),
    (["--config-dir", "outputs", "run.dry=true"], ["outputs"]),
    (["--plugin", "outputs/net.py", "list", "models"], ["outputs/net.py"]),
]  # fmt: skip


def test_another_users_places(shared: Path, cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli(*ISOTROPY).code == 0  # whatever is imported late has been imported
    monkeypatch.chdir(shared)
    assert cli(*POINTS).code == 0
    assert cli("plot", "outputs/hard_points/v001").code == 0
    assert cli("-m", *POINTS, "run.seed=0,1").code == 0
    for name in ("cache", "mine"):
        (shared / name).mkdir()
    (shared / "mine").chmod(0o777)
    for name in ("outputs", "cache"):
        (shared / name).chmod(0)
    for line, words in LOCKED:
        with as_another_user():
            ended = cli(*line)
        refused(ended, *words)
    assert [path.name for path in sorted((shared / "mine").iterdir())] in ([], ["isotropy"])


def test_another_users_run_that_may_be_read(
    shared: Path, cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shared)
    assert cli(*POINTS).code == 0
    run = shared / "outputs/hard_points/v001"
    assert cli("plot", str(run), "-o", "drawn.png").code == 0
    refused(cli("plot", str(run), "-o", ".."), "--output names no file")
    refused(
        cli("plot", str(run), "-o", f"{LONG}.png"), "it could not be written (File name too long): name another file"
    )
    for path in [run, *run.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with as_another_user():
        refused(cli("plot", str(run)), "could not be written")
        assert cli("plot", str(run), "-o", "mine.png").code == 0
        assert cli("resume", str(run)).out.endswith("complete, nothing left to do\n")
    (run / "manifest.json").chmod(0)
    with as_another_user():
        refused(cli("resume", str(run)), "Permission denied")


UNUSABLE: list[tuple[list[str], list[str]]] = [
    (["plot", LONG], ["could not be read"]),
    (["plot", DEEP], ["could not be read"]),
    (["plot", "a\0b"], ["could not be read"]),
    (["resume", LONG], ["could not be read"]),
    (["resume", "dangling"], ["is no run directory"]),
    (["plot", "loop"], ["could not be read"]),
    ([*POINTS, f"run.output_root={LONG}"], ["run.output_root="]),
    ([*POINTS, f"run.output_root={LONG}", "run.resume=true"], ["run.output_root="]),
    ([*POINTS, f"run.output_root={DEEP}"], ["run.output_root="]),
    ([*POINTS, "run.output_root=dangling"], ["run.output_root="]),
    ([*POINTS, "run.output_root=loop"], ["run.output_root="]),
    ([*POINTS, "run.output_root=file"], ["run.output_root="]),
    (["-m", *POINTS, "run.seed=0,1", f"run.output_root={LONG}"], ["run.output_root="]),
    ([*ISOTROPY, f"run.cache_root={LONG}"], ["run.cache_root="]),
    ([*ISOTROPY, "run.cache_root=dangling"], ["run.cache_root="]),
    ([*ISOTROPY, "run.cache_root=loop"], ["run.cache_root="]),
    (["dataset=mnist", f"run.data_root={LONG}", "run.download=false"], ["run.data_root="]),
    (["dataset=folder", f"dataset.root={LONG}"], ["dataset.root"]),
    (["dataset=folder", "dataset.root=dangling"], ["dataset.root"]),
    (["dataset=folder", "dataset.root=loop"], ["dataset.root"]),
    ([f"model.checkpoint={LONG}.safetensors"], ["model.checkpoint"]),
    (["model.checkpoint=dangling"], ["model.checkpoint"]),
    (["--plugin", f"{LONG}.py", "list", "models"], ["--plugin"]),
    (["--plugin", "dangling", "list", "models"], ["--plugin"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "words"), UNUSABLE, ids=[" ".join(line)[:60].replace("\0", "0") for line, _ in UNUSABLE]
)
def test_a_name_that_cannot_be_used(
    line: list[str], words: list[str], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    (tmp_path / "dangling").symlink_to("nowhere/else")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    refused(cli(*line), *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file", "loop"]
