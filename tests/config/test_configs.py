"""Every packaged YAML file composes and resolves; a folder of one's own cannot run code.

Longer than other files: each rule is asked of every choice of every group.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from advlab.config import components
from advlab.config.compose import Composer
from advlab.config.groups import COMPONENT_GROUPS
from advlab.config.identity import archived_parameters, component_class
from advlab.config.run_options import RunParams
from advlab.config.schema import parameters
from advlab.config.settings import Settings
from advlab.plugins.loading import load_plugins
from tests.helpers.commands import Ended
from tests.helpers.parameters import required

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
COMPOSED = {
    group.name: sorted(path.stem for path in (CONFIGS / group.name).glob("*.yaml")) for group in COMPONENT_GROUPS
}
EVERY = [(group, name) for group, names in COMPOSED.items() for name in names]
ARCHIVED = [(group, name) for group, name in EVERY if group != "cluster"]  # of which tests/cluster has the others
ROOTED = {"folder", "imagenet"}  # datasets whose YAML leaves the folder to the user


def composed(*overrides: str, config_dir: str | None = None) -> Settings:
    """The settings of one command line."""
    load_plugins()
    with Composer(config_dir) as composer:
        return composer.jobs(list(overrides), multirun=False)[0]


def node_of(group: str, name: str) -> dict[str, Any]:
    """What a YAML file says about its own group."""
    content = yaml.safe_load((CONFIGS / group / f"{name}.yaml").read_text(encoding="utf-8")) or {}
    node = content[group] if isinstance(content.get(group), dict) else content  # `library` has a key `attack`
    assert isinstance(node, dict)
    return node


#: networks of other libraries, of which one is named there
OF_LIBRARIES = {
    "timm": ["model.arch=resnet18", "model.weights=none", "model.input=[3,32,32]", "model.classes=10"],
    "robustbench": ["model.arch=Wong2020Fast"],
}


@pytest.mark.parametrize(("group", "name"), ARCHIVED, ids=[f"{group}={name}" for group, name in ARCHIVED])
def test_every_choice_composes_and_resolves(group: str, name: str, tmp_path: Path) -> None:
    if (group, name) in {("model", "none"), ("dataset", "none"), ("probe", "none")}:
        pytest.skip("isotropy needs one: its refusal is in the table of bad lines")
    if (group, name) == ("attack", "none"):
        pytest.skip("isotropy takes no attack, the survey needs one")
    extra = [f"dataset.root='{tmp_path}'"] if name in ROOTED else []
    if (group, name) == ("defense", "project"):
        file = tmp_path / "basis.safetensors"
        file.write_bytes(b"")  # it is read when the network is set up
        extra.append(f"defense.path='{file}'")
    if group == "attack":  # those that need targets get some
        always = components.REGISTRIES["attack"].load(str(node_of(group, name)["name"])).targeted == "always"
        extra += ["experiment=attack_survey", f"experiment.targets={'random' if always else 'none'}"]
    if group == "model":
        extra += OF_LIBRARIES.get(name, [])
    settings = composed(f"{group}={name}", *extra)
    node = settings.nodes[group]
    assert node["name"] == node_of(group, name)["name"]
    for key, value in node_of(group, name).items():
        if key != "name" and key not in ("root", "label", "path"):
            assert node[key] == value, key


def test_every_yaml_file_is_covered() -> None:
    """A new file, or a new folder, must be added to what these tests compose."""
    files = {path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml")}
    covered = {f"{group}/{name}.yaml" for group, name in EVERY} | {"config.yaml", "run/default.yaml"}
    assert {file for file in files if not file.startswith("hydra/")} == covered
    assert {file for file in files if file.startswith("hydra/")} <= {
        f"hydra/launcher/{name}.yaml" for name in LAUNCHERS
    }  # composed below


@pytest.mark.parametrize(("group", "name"), [*EVERY, ("run", "default")])
def test_no_yaml_file_repeats_a_default(group: str, name: str) -> None:
    """Defaults stand in the dataclasses alone: the same value in two places would drift apart."""
    node = node_of(group, name)
    if group == "run":
        defaults = archived_parameters(RunParams())
    else:
        component = component_class(group, node)
        defaults = archived_parameters(
            component.Params() if group == "experiment" else component(**required(component))
        )
    assert [key for key, value in node.items() if key != "name" and defaults[key] == value] == []


def test_a_key_that_no_yaml_file_names_is_archived_and_can_be_typed() -> None:
    assert "floor_factor" not in node_of("experiment", "isotropy")
    assert composed().nodes["experiment"]["floor_factor"] == 10.0
    assert composed("experiment.floor_factor=5").nodes["experiment"]["floor_factor"] == 5.0


def test_the_papers_values_are_the_defaults() -> None:
    """aghdam2017, section 2.1 and figure 1."""
    probe = composed().probe
    assert (probe.samples, probe.trials, probe.confidence, probe.clip) == (300, 100, 0.99, False)
    assert probe.radii[1:] == [float(r) for r in range(1, 21)]


def test_an_experiment_chooses_components_and_never_their_arguments() -> None:
    for name in COMPOSED["experiment"]:
        content = yaml.safe_load((CONFIGS / "experiment" / f"{name}.yaml").read_text(encoding="utf-8"))
        assert set(content) <= {"defaults", "experiment"}
        chosen = {key for entry in content.get("defaults", []) for key in entry}
        assert chosen <= {"override /model", "override /attack", "override /probe", "override /recipe"}


@pytest.mark.parametrize("name", [name for name in COMPOSED["model"] if name not in ("none", *OF_LIBRARIES)])
def test_a_model_names_its_dataset_and_fits_it(name: str) -> None:
    settings = composed(f"model={name}")
    assert settings.nodes["dataset"]["name"] != "none"
    assert tuple(settings.dataset.shape(settings.model.shape)) == tuple(settings.model.shape)
    assert settings.dataset.class_count == settings.model.class_count
    assert composed(f"model={name}", "dataset=digits").nodes["dataset"]["name"] == "digits"


def test_plug_in_and_torchvision_models_bring_their_dataset() -> None:
    assert composed("model=vgg16").nodes["dataset"]["name"] == "imagenet"
    assert composed("model=vgg16", "dataset=digits").nodes["dataset"]["name"] == "digits"


def test_values_in_yaml_are_known_keys() -> None:
    for group, name in EVERY:
        node = node_of(group, name)
        if group == "experiment" or node["name"] == "none":
            continue
        component = components.REGISTRIES[group].load("recipe" if group == "recipe" else str(node["name"]))
        assert set(node) - {"name"} <= set(parameters(component)), (group, name)


# launchers

LAUNCHERS = {
    "joblib": "hydra_plugins.hydra_joblib_launcher",
    "submitit_local": "hydra_plugins.hydra_submitit_launcher",
    "submitit_slurm": "hydra_plugins.hydra_submitit_launcher",
}


@pytest.mark.parametrize("name", LAUNCHERS)
def test_launchers_of_the_cluster_extra_compose(name: str, cli: Callable[..., Ended]) -> None:
    try:
        found = importlib.util.find_spec(LAUNCHERS[name])
    except ModuleNotFoundError:
        found = None
    ended = cli("--cfg", "hydra", f"hydra/launcher={name}")
    if found is None:
        assert ended.code == 2
        assert 'pip install "advlab[cluster]"' in ended.err
        pytest.skip(f"{LAUNCHERS[name]} is not installed (extra `cluster`)")
    assert ended.code == 0
    launcher = yaml.safe_load(ended.out)["hydra"]["launcher"]
    assert launcher["_target_"].startswith(LAUNCHERS[name])


# a folder of one's own

MARK = "import pathlib; pathlib.Path('ran').touch()"
HOSTILE = {
    "callback": "hydra:\n  callbacks:\n    evil:\n      _target_: builtins.exec\n      _args_: [MARK]\n",
    "job logging": "hydra:\n  job_logging:\n    version: 1\n    handlers:\n      evil: {(): builtins.exec, source: MARK}\n",
    "hydra logging": "hydra:\n  hydra_logging:\n    version: 1\n    handlers:\n      evil: {(): builtins.exec}\n",
    "launcher": "hydra:\n  launcher:\n    _target_: builtins.exec\n    _args_: [MARK]\n",
    "nested launcher": "hydra:\n  launcher:\n    other:\n      _target_: builtins.exec\n",
    "sweeper": "hydra:\n  sweeper:\n    _target_: builtins.exec\n    _args_: [MARK]\n",
    "interpolated launcher": "hydra:\n  launcher:\n    _target_: ${oc.env:EVIL}\n",
    "swept values": "hydra:\n  sweeper:\n    params:\n      run.seed: 1,2\n",
    "component": "model:\n  _target_: builtins.exec\n",
    "another node": "evil:\n  _target_: builtins.exec\n",
}


@pytest.mark.parametrize(
    "flags", [[], ["-m"], ["--help"], ["--cfg", "job"], ["--hydra-help"], ["--info", "all"]], ids=str
)
@pytest.mark.parametrize("what", HOSTILE)
def test_a_yaml_file_cannot_run_code(
    what: str, flags: list[str], cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVIL", "builtins.exec")
    (tmp_path / "mine/probe").mkdir(parents=True)
    text = "# @package _global_\nprobe:\n  name: sphere\n" + HOSTILE[what].replace("MARK", f'"{MARK}"')
    (tmp_path / "mine/probe/evil.yaml").write_text(text)
    ended = cli("--config-dir", "mine", "probe=evil", "run.dry=true", *flags)
    assert ended.code == 2
    assert ended.err.startswith("advlab: ")
    assert "Traceback" not in ended.err
    assert not (tmp_path / "ran").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


def test_a_folder_of_ones_own_adds_choices(tmp_path: Path) -> None:
    (tmp_path / "probe").mkdir()
    (tmp_path / "probe/near.yaml").write_text("name: sphere\nradii: [0.5]\n")
    settings = composed("probe=near", config_dir=str(tmp_path))
    assert settings.probe.radii == [0.5]
    assert settings.nodes["probe"]["name"] == "sphere"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: sphere\nradios: [1]\n", "probe.radios"),
        ("name: [\n", "near"),
        ("- 1\n", "probe=NAME"),
        ("trials: 3\n", ""),
    ],
)
def test_a_broken_yaml_file_is_named(text: str, words: str, cli: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "mine/probe").mkdir(parents=True)
    (tmp_path / "mine/probe/near.yaml").write_text(text)
    ended = cli("--config-dir", "mine", "probe=near", "run.dry=true")
    assert ended.code == 2
    assert words in ended.err
    assert "Traceback" not in ended.err
