"""Snapshots: what is compared, what is left out because it passes, and which command lines there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from advlab.config import components
from benchmarks.snapshot.__main__ import main
from benchmarks.snapshot.compare import SHOWN
from benchmarks.snapshot.lines import choices, command_lines
from benchmarks.snapshot.runs import Runs, lasting_facts, lasting_text

OLD = {
    "plain/exit": "0\n",
    "plain/out.txt": "a\nb\nc\n",
    "plain/outputs/v001/table.csv": "x\n1.0\n",
    "list/out.txt": "names\n",
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a snapshot of files and their texts."""

    def make(name: str, files: dict[str, str]) -> Path:
        for file, text in files.items():
            path = tmp_path / name / "kept" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        return tmp_path / name

    return make


def compare(*arguments: object) -> int:
    return main(["compare", *map(str, arguments)])


def test_equal_snapshots(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(write("old", OLD), write("new", OLD)) == 0
    assert capsys.readouterr().out == "0 differences\n"


def test_what_differs_is_named_and_shown(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    new = {**OLD, "plain/out.txt": "a\nB\nc\n", "plain/outputs/v001/claims.csv": "", "help/exit": "0\n"}
    del new["list/out.txt"], new["plain/exit"]
    old_folder, new_folder = write("old", OLD), write("new", new)
    assert compare(old_folder, new_folder) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"help: only in {new_folder / 'kept'}",
        f"list: only in {old_folder / 'kept'}",
        f"plain/exit: only in {old_folder / 'kept'}",
        "plain/out.txt: differs",
        "    @@ -2 +2 @@",
        "    -b",
        "    +B",
        f"plain/outputs/v001/claims.csv: only in {new_folder / 'kept'}",
        "5 differences",
    ]


@pytest.mark.parametrize(("pattern", "code"), [("plain", 1), ("pl*", 1), ("list", 0), ("help", 0)])
def test_names_choose_what_is_compared(pattern: str, code: int, write: Callable[..., Path]) -> None:
    assert compare(write("old", OLD), write("new", {**OLD, "plain/out.txt": "other"}), pattern) == code


def test_a_byte_counts_and_a_long_diff_is_cut(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    new = {**OLD, "plain/out.txt": "a\nb\nc\r\n", "list/out.txt": "\n".join(map(str, range(100)))}
    assert compare(write("old", OLD), write("new", new)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "list/out.txt: differs"
    assert lines[SHOWN + 1] == "    ... and 90 lines more"
    assert lines[SHOWN + 2 :] == ["plain/out.txt: differs", "    only in the ends of lines", "2 differences"]


def test_a_folder_that_is_no_snapshot_is_refused(tmp_path: Path, write: Callable[..., Path]) -> None:
    with pytest.raises(SystemExit) as refusal:
        compare(write("old", OLD), tmp_path / "nowhere")
    assert refusal.value.code == 2


def test_what_passes_is_left_out_and_nothing_else() -> None:
    text = "\x1b[1mtrain mlp: 365 of 440 (82 %), 1 s left, loss 1.039\ntrained in 6 s\naccuracy: 60 of 360\nin /a/b and /a\n"
    assert lasting_text(text, {"/a": "FOLDER", "/a/b": "CACHE"}) == (
        "trained in N s\naccuracy: 60 of 360\nin CACHE and FOLDER\n"
    )
    facts = {
        "rows": 3,
        "seconds": 1.5,
        "model": {"origin": "trained", "seconds": 2},
        "list": [{"seal": "s", "a": None}],
    }
    assert lasting_facts(facts) == {"rows": 3, "model": {"origin": "trained"}, "list": [{"a": None}]}


def test_every_experiment_and_attack_is_run_and_everything_described() -> None:
    lines = command_lines()
    for group in components.REGISTRIES:
        for choice in choices(group):
            assert lines[f"describe-{choice}"] == ("describe", choice)
            wanted = f"{group}={choice}"
            assert group not in ("experiment", "attack") or any(wanted in line for line in lines.values())


@pytest.mark.long
def test_a_line_is_run_and_kept_twice_alike(tmp_path: Path) -> None:
    """An experiment without torch, for it takes a second."""
    kept = []
    for name in ("old", "new"):
        runs = Runs(tmp_path / name / "kept", tmp_path / name / "cache")
        assert runs.keep("hard_points", ("experiment=hard_points", "experiment.degree=2", "run.preset=tiny")) == 0
        assert runs.keep("bad", ("model=vgg61",)) == 2
        kept.append(sorted(str(path.relative_to(tmp_path / name)) for path in (tmp_path / name).rglob("*.*")))
    assert compare(tmp_path / "old", tmp_path / "new") == 0
    assert kept[0] == kept[1]
    run = tmp_path / "old/kept/hard_points/outputs/hard_points/v001"
    for file in (
        "table.csv",
        "claims.csv",
        "manifest.json",
        "plan.json",
        "config.yaml",
        "figures/hard_points.png.sha256",
    ):
        assert (run / file).read_text(encoding="utf-8")
    assert str(tmp_path) not in "".join(path.read_text(encoding="utf-8") for path in run.rglob("*") if path.is_file())
    assert "vgg16" in (tmp_path / "old/kept/bad/err.txt").read_text(encoding="utf-8")
