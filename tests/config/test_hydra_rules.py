"""A YAML file of a config folder sets a launcher's few keys and nothing else of Hydra, by whatever way."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.types import RunMode
from omegaconf import OmegaConf

from advlab.config.compose import Composer
from advlab.config.config_folder import LAUNCHER_KEYS, WORDS, leaves
from advlab.errors import ConfigError
from tests.helpers.commands import Ended
from tests.helpers.long_cases import one_in

PLUGINS = {
    "joblib": "hydra_joblib_launcher",
    "submitit_local": "hydra_submitit_launcher",
    "submitit_slurm": "hydra_submitit_launcher",
}
#: as architecture.md lists them, written out once more
ALLOWED = {
    "partition", "account", "qos", "timeout_min", "cpus_per_task", "mem_gb", "gpus_per_node", "nodes", "tasks_per_node",
    "array_parallelism", "signal_delay_s", "max_num_timeout", "name", "n_jobs",
}  # fmt: skip


def launchers() -> list[str]:
    try:
        found = (name for name, package in PLUGINS.items() if importlib.util.find_spec(f"hydra_plugins.{package}"))
        return ["basic", *found]
    except ModuleNotFoundError:
        return ["basic"]


def write(folder: Path, content: Any, name: str = "probe/evil", header: str = "# @package _global_") -> None:
    """A file of a config folder: YAML text, or what is to be written as YAML."""
    path = folder / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{header}\n{content if isinstance(content, str) else yaml.safe_dump(content)}")


def composed(folder: Path, *overrides: str) -> Any:
    """The node of Hydra, once everything is checked."""
    with Composer(str(folder)) as composer:
        composer.jobs(list(overrides), multirun=True)
        return composer.loader.load_configuration("config", list(overrides), RunMode.MULTIRUN).hydra


def other_value(value: Any) -> Any:
    """A value that differs from a default, of its type where it has one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 7
    return [*value, "x"] if isinstance(value, list) else {"x": "y"} if isinstance(value, dict) else "elsewhere"


def test_the_allowed_keys_are_those_of_the_design() -> None:
    assert LAUNCHER_KEYS == ALLOWED


@pytest.mark.parametrize("launcher", one_in(2, launchers()))
def test_every_key_of_hydra_is_allowed_or_refused(launcher: str, tmp_path: Path) -> None:
    typed = ["probe=evil", f"hydra/launcher={launcher}"]
    write(tmp_path, {"probe": {"name": "sphere"}})
    node = OmegaConf.to_container(composed(tmp_path, *typed), resolve=False)
    keys = dict(leaves(node))
    assert len(keys) > 50
    if launcher != "basic":  # of which all other keys are tried once
        keys = {path: value for path, value in keys.items() if path[0] == "launcher"}
    seen = set()
    for path, value in keys.items():
        content: Any = 7 if path[-1] in ALLOWED - WORDS else other_value(value)
        for key in reversed(path):
            content = {key: content}
        write(tmp_path, {"probe": {"name": "sphere"}, "hydra": content})
        if path[0] == "launcher" and path[-1] in ALLOWED:
            seen.add(path[-1])
            assert composed(tmp_path, *typed).launcher[path[-1]] in (7, "elsewhere")
            continue
        with pytest.raises(ConfigError) as caught:
            composed(tmp_path, *typed)
        assert f"probe/evil.yaml sets hydra.{'.'.join(path)}" in str(caught.value)
    assert seen == ALLOWED & {path[-1] for path in keys if path[0] == "launcher"}
    assert len(seen) == {"basic": 0, "joblib": 1, "submitit_local": 7, "submitit_slurm": 13}[launcher]


GLOBAL = "# @package _global_"
WAYS = {
    # file -> (header, text); what must be named
    "a package of its own": ({"probe/evil": ("# @package hydra", "job: {env_set: {A: b}}")}, "hydra.job.env_set"),
    "a deeper package": ({"probe/evil": ("# @package hydra.job.env_set", "ADVLAB_PLUGINS: evil.py")}, "hydra.job.env_set"),
    "a merged mapping": (
        {"probe/evil": (GLOBAL, "probe: &evil {job: {env_set: {A: b}}}\nhydra: {<<: *evil}")}, "hydra.job.env_set",
    ),
    "an alias": ({"probe/evil": (GLOBAL, "probe: &evil {callbacks: {a: b}}\nhydra: *evil")}, "hydra.callbacks.a"),
    "a whole node": ({"probe/evil": (GLOBAL, "hydra: null")}, "sets hydra:"),
    "an empty mapping": ({"probe/evil": (GLOBAL, "hydra: {job: {env_set: {}}}")}, "hydra.job.env_set"),
    "another launcher": ({"probe/evil": (GLOBAL, "defaults:\n  - override /hydra/launcher: joblib")}, "hydra/launcher"),
    "no output": ({"probe/evil": (GLOBAL, "defaults:\n  - override /hydra/output: null")}, "hydra/output"),
    "a callback": (
        {"probe/evil": (GLOBAL, "defaults:\n  - override /hydra/callbacks: x"), "hydra/callbacks/x": ("", "e: {a: 1}")},
        "hydra.callbacks",
    ),
    "an environment": (
        {"probe/evil": (GLOBAL, "defaults:\n  - override /hydra/env: x"), "hydra/env/x": ("# @package hydra.job", "chdir: true")},
        "hydra.job.chdir",
    ),
    "an empty environment": (
        {"probe/evil": (GLOBAL, "defaults:\n  - override /hydra/env: x"), "hydra/env/x": ("", "")}, "hydra/env",
    ),
    "a packaged file in another place": (
        {"probe/evil": (GLOBAL, "defaults:\n  - /hydra/sweeper/basic@hydra.callbacks.evil")}, "hydra.callbacks",
    ),
    "a packaged file over another": (
        {"probe/evil": (GLOBAL, "defaults:\n  - /hydra/sweeper/basic@hydra.launcher")}, "hydra/sweeper/basic",
    ),
    "a packaged file in the variables": (
        {"probe/evil": (GLOBAL, "defaults:\n  - /attack/fgs@hydra.job.env_set")}, "hydra.job.env_set",
    ),
    "a group beside Hydra's": (
        {"probe/evil": (GLOBAL, "defaults:\n  - /hydra/mine@hydra.job: x"), "hydra/mine/x": ("", "id: y")}, "hydra.job.id",
    ),
    "in place of a launcher": ({"hydra/launcher/basic": ("", "_target_: builtins.exec")}, "the name of a file of Hydra's own"),
    "in place of the sweeper": ({"hydra/sweeper/basic": ("", "_target_: os.system")}, "the name of a file of Hydra's own"),
    "in place of the schema": ({"hydra/config": ("", "job: {env_set: {A: b}}")}, "the name of a file of Hydra's own"),
    "a list": ({"probe/evil": (GLOBAL, "hydra: [1, 2]")}, "evil.yaml sets hydra:"),
    "keys that are no texts": ({"probe/evil": (GLOBAL, "hydra: {1: 2}")}, "evil.yaml sets hydra.1:"),
    "a key that is nothing": ({"probe/evil": (GLOBAL, "hydra: {null: 3}")}, "evil.yaml does not parse"),
    "a search path": ({"probe/evil": (GLOBAL, "hydra: {searchpath: ['pkg://evil']}")}, "hydra.searchpath"),
    "a line of a job's script": (
        {"probe/evil": (GLOBAL, 'hydra: {launcher: {partition: "gpu\\ntouch ran"}}')}, "hydra.launcher.partition",
    ),
    "a flag of the scheduler": ({"probe/evil": (GLOBAL, "hydra: {launcher: {name: --wrap=x}}")}, "hydra.launcher.name"),
    "an interpolated word": (
        {"probe/evil": (GLOBAL, "hydra: {launcher: {account: '${oc.env:HOME}'}}")}, "hydra.launcher.account",
    ),
    "a text for a number": ({"probe/evil": (GLOBAL, "hydra: {launcher: {nodes: '1; x'}}")}, "hydra.launcher.nodes"),
    "where runs are written": ({"probe/evil": (GLOBAL, "run: {output_root: /elsewhere}")}, "run.output_root"),
    "where the cache is": ({"probe/evil": ("# @package run", "cache_root: /elsewhere")}, "run.cache_root"),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_no_way_around(way: str, tmp_path: Path) -> None:
    files, named = WAYS[way]
    write(tmp_path, "probe: {name: sphere}")
    for name, (header, text) in files.items():
        write(tmp_path, text, name, header)
    with pytest.raises(ConfigError) as caught:
        composed(tmp_path, "probe=evil")
    assert named in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_packaged_files_are_not_replaced(tmp_path: Path) -> None:
    write(tmp_path, "probe: {name: sphere}")
    expected = OmegaConf.to_container(composed(tmp_path, "probe=evil"), resolve=False)
    write(tmp_path, "defaults:\n  - override /hydra/job_logging: default\nprobe: {name: sphere}")
    write(tmp_path, "hydra: {searchpath: ['pkg://evil']}", "config", "")
    write(tmp_path, "version: 1\nhandlers: {}", "hydra/job_logging/none", "")
    write(tmp_path, "sweep: {subdir: ../..}", "hydra/output/default", "# @package hydra")
    write(tmp_path, "output_root: /elsewhere", "run/default", "")
    assert OmegaConf.to_container(composed(tmp_path, "probe=evil"), resolve=False) == expected
    with Composer(str(tmp_path)) as composer:
        assert composer.settings(["probe=evil"]).run.output_root == "./outputs"


def test_a_sweep_does_not_take_a_plug_in_from_yaml(cli: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    write(tmp_path / "mine", "probe: {name: sphere}\nhydra: {job: {env_set: {ADVLAB_PLUGINS: evil.py}}}")
    ended = cli("--config-dir", "mine", "probe=evil", "-m", "run.seed=0,1", "run.preset=tiny")
    assert ended.code == 2
    assert "probe/evil.yaml sets hydra.job.env_set.ADVLAB_PLUGINS" in ended.err
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "outputs").exists()


@pytest.mark.skipif(
    "submitit_slurm" not in launchers(), reason="hydra-submitit-launcher is not installed (extra `cluster`)"
)
def test_a_folder_of_ones_own_describes_a_cluster(tmp_path: Path) -> None:
    """Named by the user, it stands for an installed launcher."""
    write(tmp_path, "defaults: [submitit_slurm]\npartition: gpu\ntimeout_min: 30", "hydra/launcher/mine", "")
    launcher = composed(tmp_path, "hydra/launcher=mine", "hydra.launcher.setup=[module load cuda]").launcher
    assert (launcher.partition, launcher.timeout_min, launcher.setup) == ("gpu", 30, ["module load cuda"])
    write(tmp_path, "defaults: [submitit_slurm]\nsetup: [touch ran]", "hydra/launcher/mine", "")
    with pytest.raises(ConfigError, match=r"hydra/launcher/mine.yaml sets hydra\.launcher\.setup"):
        composed(tmp_path, "hydra/launcher=mine")


def test_an_environment_variable_that_is_not_there_is_named(cli: Callable[..., Ended]) -> None:
    ended = cli("hydra.job.env_copy=[NOT_THERE]", "run.dry=true")
    assert ended.code == 2
    assert ended.err == "advlab: hydra.job.env_copy: the environment has no NOT_THERE: leave it out\n"


def test_a_launcher_without_the_key_is_named(tmp_path: Path) -> None:
    write(tmp_path, "probe: {name: sphere}\nhydra: {launcher: {timeout_min: 3}}")
    with pytest.raises(ConfigError, match=r"In 'probe/evil': Key 'timeout_min' not in .*: type -m hydra/launcher=NAME"):
        composed(tmp_path, "probe=evil")


@pytest.mark.skipif("joblib" not in launchers(), reason="hydra-joblib-launcher is not installed (extra `cluster`)")
def test_a_sweep_takes_a_launchers_keys_from_yaml(cli: Callable[..., Ended], tmp_path: Path) -> None:
    write(
        tmp_path / "mine",
        "experiment: {name: hard_points, resolution: 60}\nhydra: {launcher: {n_jobs: 1}}",
        "experiment/coarse",
    )
    ended = cli("--config-dir", "mine", "-m", "experiment=coarse", "run.seed=0,1", "hydra/launcher=joblib")
    assert ended.code == 0, ended.err
    assert ended.out.count("  complete  ") == 2
