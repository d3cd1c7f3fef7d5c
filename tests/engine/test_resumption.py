"""Which run a command goes on with: in its folder, and in the one where version 0.1 put the runs of every attack."""

from __future__ import annotations

from pathlib import Path

import pytest

from advlab.config.compose import Composer
from advlab.config.settings import Settings
from advlab.engine.resumption import directory_to_resume
from advlab.store.plan_shape import PLAN_KEYS
from advlab.store.run_directory import RunDirectory
from advlab.store.run_versions import former_versions_folder, versions_folder
from advlab.store.sealed import write_sealed


def settings(root: Path, *more: str) -> Settings:
    line = [
        "experiment=attack_survey",
        "model=lenet",
        "attack=fgv",
        "run.preset=tiny",
        f"run.output_root={root}",
        *more,
    ]
    with Composer(None) as composer:
        return composer.settings(line)


def begun(folder: Path, settings: Settings, job: str = "", status: str = "") -> Path:
    """A new version of a run that was begun, and ended with a status, if any."""
    run = RunDirectory.create(folder)
    write_sealed(
        run.plan_path,
        {
            **dict.fromkeys(PLAN_KEYS, ""),
            "config": settings.nodes,
            "versions": settings.versions,
            "job": job,
            "prepared": {},
            "cells": [],
            "execution": {},
        },
    )
    if status:
        write_sealed(run.manifest_path, {"status": status, "files": {}})
    return run.path


def folders(settings: Settings) -> tuple[Path, Path]:
    root = settings.run.path("output_root")
    return versions_folder(root, settings.nodes), former_versions_folder(root, settings.nodes)


def test_a_run_of_version_0_1_is_found(tmp_path: Path) -> None:
    resumed = settings(tmp_path, "run.resume=true")
    new, former = folders(resumed)
    assert (new.name, former.name) == ("digits-lenet-fgv", "digits-lenet")
    assert directory_to_resume(resumed) is None
    begun(former, settings(tmp_path, "attack=fgs"))  # of another attack
    unfinished = begun(former, resumed)
    found = directory_to_resume(resumed)
    assert found is not None
    assert found.path == unfinished
    assert directory_to_resume(settings(tmp_path)) is None  # nobody asked for it


def test_the_new_folder_comes_first_and_what_is_unfinished_before_what_is_complete(tmp_path: Path) -> None:
    resumed = settings(tmp_path, "run.resume=true")
    new, former = folders(resumed)

    def found() -> Path | None:
        directory = directory_to_resume(resumed)
        return None if directory is None else directory.path

    finished = begun(former, resumed, status="complete")
    assert found() == finished
    newer = begun(new, resumed, status="complete")
    assert found() == newer
    former_unfinished = begun(former, resumed)
    assert found() == former_unfinished
    unfinished = begun(new, resumed, status="interrupted")
    assert found() == unfinished


def test_a_requeued_job_finds_its_own_run_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = settings(tmp_path)
    new, former = folders(again)
    begun(new, again, job="4")
    mine = begun(former, again, job="7")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    found = directory_to_resume(again)
    assert found is not None
    assert found.path == mine
