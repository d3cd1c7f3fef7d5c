"""Files that were damaged or changed are seen, and mended or refused; so are other weights and images."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import read_sealed, write_sealed
from tests.helpers.long_cases import one_in
from tests.helpers.run_files import RUN, cells, clean, complete, flip, version
from tests.helpers.run_workshop import Workshop


@pytest.mark.parametrize(
    "name",
    [
        "cells/samples-00003.csv", "table.csv", "claims.csv", "manifest.json", "config.yaml", "figures/isotropy.png",
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
    run = copied
    complete(ended, run, table)
    measured = {"cells/samples-00003.csv": ["samples-00003"]}
    assert log.read_text().split() == measured.get(name, [])
    if name.startswith("cells"):
        assert "does not match its digest" in ended.err
        assert (copied.path / f"{name}.quarantined-1").exists()
    if name in ("table.csv", "claims.csv", "manifest.json", "figures/isotropy.png"):
        assert f"{name} is missing or damaged, and is made again" in ended.err
    if name == "config.yaml":
        assert "config.yaml does not match plan.json, and is written anew" in ended.err
        assert run.nodes() == run.plan()["config"]
    assert "nothing left to do" in workshop.run(*RUN, "run.resume=true", root=tmp_path).out


def spoil(path: Path, how: str) -> None:
    """Damage a file: one bit of it, its end, all of it, or the file itself."""
    if how == "flipped":
        flip(path)
    elif how == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-40] if how == "cut" else b"")


@pytest.mark.parametrize("how", one_in(2, ["flipped", "cut", "empty", "gone"]))
def test_a_damaged_plan_ends_a_run_but_not_its_figure(
    how: str, workshop: Workshop, copied: RunDirectory, table: bytes, tmp_path: Path
) -> None:
    spoil(copied.plan_path, how)
    for words in (["resume", str(copied.path)], [*RUN, "run.resume=true"]):
        ended = workshop.run(*words, root=None if words[0] == "resume" else tmp_path)
        assert ended.code == 2
        clean(ended.err)
        assert (
            f"plan.json {'is missing' if how == 'gone' else 'is damaged'}" in ended.err
            or "has no plan.json" in ended.err
        )
        assert not version(tmp_path, 2).path.exists()
    assert "leave out run.resume=true" in ended.err
    figure = copied.figure_path("isotropy", "png")
    before = figure.read_bytes()
    figure.unlink()
    drawn = workshop.run("plot", str(copied.path))
    assert drawn.code == 0, drawn.err
    assert figure.read_bytes() == before
    assert copied.table_path.read_bytes() == table
    complete(workshop.run(*RUN, root=tmp_path), version(tmp_path, 2), table)  # which the message says


@pytest.mark.parametrize("how", ["cut", "empty", "gone"])
def test_a_damaged_configuration_is_mended_from_the_plan(
    how: str, workshop: Workshop, killed_run: RunDirectory, table: bytes
) -> None:
    text = killed_run.config_path.read_text()
    spoil(killed_run.config_path, how)
    if how == "cut":
        killed_run.config_path.write_text(f"{text[:-40]}\n  ]")
    ended = workshop.run("resume", str(killed_run.path))
    complete(ended, killed_run, table)
    assert "config.yaml does not match plan.json, and is written anew from it" in ended.err
    assert killed_run.config_path.read_text() == text


def test_a_figure_is_drawn_without_an_intact_configuration_elsewhere(workshop: Workshop, copied: RunDirectory) -> None:
    """The manifest holds it, too; where nothing does, that is said."""
    for path in (copied.config_path, copied.plan_path):
        path.write_bytes(b"{")
    drawn = workshop.run("plot", str(copied.path))
    assert drawn.code == 0, drawn.err
    assert "what manifest.json says is taken" in drawn.err
    assert "No more can be measured" not in drawn.err
    assert "run.resume=true" not in drawn.err
    copied.manifest_path.unlink()
    refused = workshop.run("plot", str(copied.path))
    assert refused.code == 2
    clean(refused.err)


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


@pytest.mark.parametrize("key", ["versions", "config", "cells", "weights", "data"])
def test_a_changed_plan_is_refused(key: str, workshop: Workshop, killed_run: RunDirectory) -> None:
    """Also when its seal is right."""
    plan = read_sealed(killed_run.plan_path)
    changed = {
        "versions": {"model": 9},
        "config": {"run": {}},
        "cells": plan["cells"][::-1],
        "weights": "1" * 64,
        "data": "1" * 64,
    }
    write_sealed(killed_run.plan_path, {**{k: v for k, v in plan.items() if k != "seal"}, key: changed[key]})
    ended = workshop.run("resume", str(killed_run.path))
    assert ended.code == 2
    clean(ended.err)
    assert "start a new run" in ended.err.lower()
    assert not killed_run.table_path.exists()


@pytest.mark.parametrize(
    ("variable", "what"), [("TOY_WEIGHT", "the weights of toy"), ("TOY_BRIGHTER", "the images of toy_data")]
)
def test_other_weights_or_images_are_refused(
    variable: str, what: str, workshop: Workshop, killed_run: RunDirectory
) -> None:
    ended = workshop.run("resume", str(killed_run.path), before=f"os.environ[{variable!r}] = '1'")
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
