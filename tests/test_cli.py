"""The command line: bad lines name fault and remedy, exit with 2 and leave nothing behind; good ones do what they say."""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Ended

TORCHLESS = """
import json, sys
from advlab.cli import run
HEAVY = {"torch", "torchvision", "pandas", "matplotlib", "scipy", "sklearn"}
for line, code in json.loads(sys.argv[1]):
    assert run(line) == code, line
    assert not HEAVY & set(sys.modules), (line, HEAVY & set(sys.modules))
"""

# what is typed -> words that the message must hold: the fault first, then the remedy
BAD: list[tuple[list[str], list[str]]] = [
    # names of groups and choices
    (["modle=lenet"], ["modle", "Did you mean model?"]),
    (["Model=lenet"], ["Model", "Did you mean model?"]),
    (["MODEL=lenet"], ["MODEL", "Did you mean model?"]),
    (["models=lenet"], ["models", "Did you mean model?"]),
    (["model=vgg61"], ["'vgg61'", "vgg16", "There are: "]),
    (["model=lenett"], ["'lenett'", "Did you mean lenet"]),
    (["model=LENET"], ["'LENET'", "Did you mean lenet"]),
    (["model=lenet.yaml"], ["'lenet.yaml'", "Did you mean lenet"]),
    (["dataset=minst"], ["dataset 'minst'", "mnist"]),
    (["probe=spher"], ["probe 'spher'", "Did you mean sphere?"]),
    (["experiment=isotrpy"], ["experiment 'isotrpy'", "Did you mean isotropy?"]),
    (["attack=fgsm"], ["attack 'fgsm'", "fgs"]),
    (["recipe=lenet_digit"], ["recipe 'lenet_digit'", "lenet_digits"]),
    (["run=fast"], ["run=fast", "run.KEY=VALUE", "advlab describe run"]),
    (["model=../lenet"], ["'../lenet'", "There are: "]),
    (["model=a/b"], ["'a/b'", "There are: "]),
    (["model=1"], ["'1'", "There are: "]),
    (["model=true"], ["There are: "]),
    (["model=@x"], ["'@x'", "There are: "]),
    (["model=null"], ["model=null", "type model=NAME"]),
    (["dataset=null"], ["dataset=null", "type dataset=NAME"]),
    (["experiment=none"], ["experiment 'none'", "isotropy"]),
    (["model=none"], ["model=none", "needs a model: type model=NAME"]),
    (["dataset=none"], ["dataset=none", "needs a dataset: type dataset=NAME"]),
    (["probe=none"], ["probe=sphere"]),
    # keys
    (["run.sede=1"], ["run.sede", "Did you mean seed?"]),
    (["+run.sede=1"], ["run.sede", "Did you mean seed?"]),
    (["++run.sede=1"], ["run.sede", "Did you mean seed?"]),
    (["probe.radius=[1]"], ["probe.radius", "Did you mean radii"]),
    (["model.klasses=3"], ["model.klasses", "classes"]),
    (["model=vgg16", "model.weight=x"], ["model.weight", "Did you mean weights?"]),
    (["experiment.nope=1"], ["experiment.nope", "floor_factor"]),
    (["dataset.root=x"], ["dataset.root", "There are: channels, size, split."]),
    (["recipe.epoch=1"], ["recipe.epoch", "Did you mean epochs"]),
    (["recipe=none", "recipe.epochs=1"], ["recipe.epochs", "no such key"]),
    (["attack.x=1"], ["attack.x", "uses no attack: leave it out"]),
    (["model.x.y=1"], ["model.x", "no such key"]),
    (["x.y=1"], ["x: there is no such group", "There are: "]),
    (["++x.y=1"], ["x: there is no such group", "There are: "]),
    (["+x=1"], ["x: there is no such group", "There are: "]),
    (["run.name=x"], ["run.name", "There are: "]),
    (["probe.name=none"], ["probe.radii", "no such key"]),
    (["probe.name=foo"], ["probe 'foo'", "sphere"]),
    (["model.name=nope"], ["model 'nope'", "There are: "]),
    (["model.name=[a]"], ["['a']", "There are: "]),
    (["model.name=''"], ["model ''", "There are: "]),
    (["experiment.name=nope"], ["experiment 'nope'", "isotropy"]),
    # types
    (["run.seed=x"], ["run.seed", "whole number", "'x'"]),
    (["run.seed="], ["run.seed", "whole number", "''"]),
    (["run.seed=1.5"], ["run.seed", "whole number", "1.5"]),
    (["run.seed=true"], ["run.seed", "whole number", "True"]),
    (["run.seed=null"], ["run.seed", "whole number", "None"]),
    (["run.seed=[1]"], ["run.seed", "whole number", "[1]"]),
    (["run.seed={a:1}"], ["run.seed", "whole number", "{'a': 1}"]),
    (["run.seed=inf"], ["run.seed", "whole number"]),
    (["run.seed=nan"], ["run.seed", "whole number"]),
    (["run.dry=maybe"], ["run.dry", "true or false", "'maybe'"]),
    (["run.resume=1"], ["run.resume", "true or false"]),
    (["run.download=no"], ["run.download", "true or false", "'no'"]),
    (["run.device=null"], ["run.device", "text"]),
    (["run.device=[cpu]"], ["run.device", "text"]),
    (["probe.radii=x"], ["probe.radii", "a number", "'x'"]),
    (["probe.radii=[1,a]"], ["probe.radii[1]", "a number", "'a'"]),
    (["probe.radii=[[1]]"], ["probe.radii", "a number"]),
    (["probe.radii=null"], ["probe.radii", "a number"]),
    (["probe.radii={a:1}"], ["probe.radii={a:1}", "advlab describe"]),
    (["probe.radii.x=1"], ["x", "advlab describe"]),
    (["model.classes=null"], ["model.classes", "whole number"]),
    (["model.input=x"], ["model.input", "whole number"]),
    (["recipe.epochs=x"], ["recipe.epochs", "whole number", "'x'"]),
    (["recipe.expected=3"], ["recipe.expected"]),
    (["experiment.small=x"], ["experiment.small", "a number"]),
    (["dataset.split=[a]"], ["dataset.split", "text"]),
    (["model.mean=[x]"], ["model.mean", "a number"]),
    # values out of range
    (["run.preset=tinny"], ["run.preset", "'tinny'", "Did you mean tiny?"]),
    (["run.preset=null"], ["run.preset", "laptop, paper, tiny"]),
    (["run.seed=-1"], ["seed", "between 0 and 2^63 - 1", "-1"]),
    (["run.seed=99999999999999999999"], ["seed", "between 0 and 2^63 - 1"]),
    (["run.batch_size=-1"], ["batch_size", "0 (measured) or more", "-1"]),
    (["run.accuracy_images=0"], ["accuracy_images", "at least 1"]),
    (["run.max_nonfinite=2"], ["max_nonfinite", "between 0 and 1"]),
    (["run.max_nonfinite=nan"], ["run.max_nonfinite", "a number"]),
    (["run.precision=float16"], ["run.precision", "'float16'", "float32"]),
    (["run.output_root="], ["output_root", "must name a folder"]),
    (["run.device=gpu"], ["device", "auto, cpu, cuda", "'gpu'"]),
    (["run.device=cuda:"], ["device", "auto, cpu, cuda", "'cuda:'"]),
    (["run.device=cuda:x"], ["device", "auto, cpu, cuda", "'cuda:x'"]),
    (["run.device=auto:1"], ["device", "auto, cpu, cuda", "'auto:1'"]),
    (["run.device=cuda:99999999999999999999"], ["device", "auto, cpu, cuda"]),
    (["probe.radii=[]"], ["radii", "above 0, ascending"]),
    (["probe.radii=[1,-1]"], ["radii", "above 0"]),
    (["probe.radii=[2,1]"], ["radii", "ascending"]),
    (["probe.norm=l3"], ["probe.norm", "'l3'", "l2, linf"]),
    (["probe.norm=[]"], ["norm", "must not be empty"]),
    (["probe.trials=1"], ["trials", "2 (a range over one score is 0) to a million"]),
    (["probe.samples=0"], ["samples", "at least 1"]),
    (["probe.confidence=1"], ["confidence", "[0, 1)"]),
    (["probe.noise=gauss"], ["probe.noise", "'gauss'", "device, portable"]),
    (["probe.pixel_scale=0"], ["pixel_scale", "above 0"]),
    (["probe.pixel_scale=[1,2,3]"], ["pixel_scale", "paired"]),
    (["probe.floor_samples=-1"], ["floor_samples", "0 or more"]),
    (["probe.layer=fc"], ["probe.layer", "leave it out"]),
    (["recipe.epochs=0"], ["epochs", "at least 1"]),
    (["recipe.lr=0"], ["lr", "above 0"]),
    (["recipe.optimizer=rmsprop"], ["optimizer", "sgd, adam, adamw", "'rmsprop'"]),
    (["recipe.augment=[zoom]"], ["augment", "crop, flip, affine", "'zoom'"]),
    (["experiment.more=2"], ["more", "between 0 and 1"]),
    (["model.classes=1"], ["classes", "at least 2"]),
    (["model.input=3"], ["input", "[channels,height,width]", "[3]"]),
    (["model.sha256=abc"], ["sha256", "64 hexadecimal digits", "'abc'"]),
    (["model.std=[0]"], ["std", "above 0"]),
    (["model=vgg16", "model.classes=10"], ["1000 classes", "model.weights=none"]),
    (["dataset.size=5000"], ["size", "4096"]),
    (["dataset.channels=2"], ["channels", "1 or 3"]),
    (["dataset.split=val"], ["'val'", "test, train"]),
    (["dataset=folder", "dataset.fit=stretch"], ["dataset.fit", "'stretch'", "crop, squash"]),
    (["dataset=folder", "dataset.crop=2"], ["crop", "between 0"]),
    # what does not parse
    (["model="], ["'model='", "type model=NAME"]),
    (["model=''"], ["model=''", "type model=NAME"]),
    (["model"], ["'model'", "type model=NAME"]),
    (["run.seed"], ["'run.seed'", "type run.seed=VALUE"]),
    (["model lenet"], ["'model lenet'", "type model=NAME"]),
    (["model:lenet"], ["'model:lenet'", "type model=NAME"]),
    (["model = lenet"], ["'model = lenet'", "leave out the spaces"]),
    ([" model=lenet"], ["' model=lenet'", "leave out the spaces"]),
    (["=x"], ["'=x'", "type GROUP=NAME"]),
    (["="], ["'='", "type GROUP=NAME"]),
    (["model==lenet"], ["'model==lenet'", "type one ="]),
    (["model=lenet=mlp"], ["'model=lenet=mlp'", "type GROUP=NAME"]),
    (["model=lenet,"], ["'model=lenet,'", "leave out the comma"]),
    (["model=,lenet"], ["'model=,lenet'", "leave out the comma"]),
    (["model=[lenet"], ["'model=[lenet'", "close its brackets"]),
    (["model=lenet]"], ["'model=lenet]'", "close its brackets"]),
    (["model={a:1"], ["'model={a:1'", "close its brackets"]),
    (["model='lenet"], ["model='lenet", "quotation marks"]),
    (['model="lenet'], ['model="lenet', "quotation marks"]),
    (["probe.radii=[1,2"], ["'probe.radii=[1,2'", "close its brackets"]),
    (["probe.radii[0]=1"], ["'probe.radii[0]=1'", "GROUP.KEY=VALUE"]),
    (["model..x=1"], ["'model..x=1'", "GROUP.KEY=VALUE"]),
    (["model.=1"], ["'model.=1'", "GROUP.KEY=VALUE"]),
    ([".model=1"], ["'.model=1'", "GROUP.KEY=VALUE"]),
    (["model=lenet#x"], ["'model=lenet#x'", "quotation marks"]),
    (["model=(lenet)"], ["'model=(lenet)'", "quotation marks"]),
    (["model=lenet\nrun.seed=1"], ["model=lenet", "quotation marks"]),
    (["model=lenét"], ["'model=lenét'", "quotation marks"]),
    (["模型=lenet"], ["模型"]),
    (["model=\0"], ["model=", "quotation marks"]),
    (["model=len\udcffet"], ["model=len", "quotation marks"]),
    ([""], ["empty", "leave it out"]),
    (["model=lenet", ""], ["''", "type GROUP=NAME"]),
    (["x" * 100_000], ["there is no command", "To run an experiment"]),
    (["model=" + "x" * 100_000], ["there is no model", "There are: "]),
    (["model=[" * 50], ["model=", "close its brackets"]),
    # + ~ @ /
    (["+model=lenet"], ["'+model=lenet'", "type model=NAME"]),
    (["++model=lenet"], ["'++model=lenet'", "type model=NAME"]),
    (["~model"], ["model", "type model=NAME"]),
    (["~model=lenet"], ["'~model=lenet'", "type model=NAME"]),
    (["~run"], ["run", "type run.KEY=VALUE"]),
    (["~nope"], ["nope", "There are: "]),
    (["~model.name"], ["model.name", "type model=NAME"]),
    (["~"], ["'~", "type GROUP=NAME"]),
    (["++"], ["'++'", "type GROUP=NAME"]),
    (["+++model=lenet"], ["'+++model=lenet'", "type GROUP=NAME"]),
    (["model@foo=lenet"], ["'model@foo=lenet'", "type model=NAME"]),
    (["+model@foo=lenet"], ["'+model@foo=lenet'", "type model=NAME"]),
    (["model/lenet=x"], ["'model/lenet=x'", "type model=NAME"]),
    # sweeps
    (["model=lenet,mlp"], ["'model=lenet,mlp'", "-m", "KEY=[A,B]"]),
    (["run.seed=range(1,4)"], ["'run.seed=range(1,4)'", "-m"]),
    (["model=choice(lenet,mlp)"], ["'model=choice(lenet,mlp)'", "-m"]),
    (["-m", "model=lenet,vgg61"], ["'vgg61'", "vgg16"]),
    (["model=lenet,vgg61", "-m"], ["'vgg61'", "vgg16"]),
    (["-m", "run.seed=1,x"], ["run.seed", "whole number", "'x'"]),
    (["-m", "run.seed=interval(0,1)"], ["INTERVAL", "run.seed=0,1,2"]),
    (["-m", "run.seed=range(1,4"], ["'run.seed=range(1,4'", "close its brackets"]),
    (["-m", "--run", "run.seed=1"], ["--multirun and --run", "leave one out"]),
    (["hydra/launcher=basic"], ["hydra/launcher=basic", "add -m"]),
    (["-m", "hydra/launcher=jobli"], ["'jobli'", "There "]),
    (["-m", "hydra.sweeper.params={run.seed:'1,2'}"], ["hydra.sweeper.params", "on the command line"]),
    # flags
    (["--multirum", "model=lenet"], ["--multirum", "Did you mean --multirun"]),
    (["model=lenet", "--verbose"], ["--verbose", "There are: "]),
    (["-x"], ["-x", "There are: "]),
    (["-"], ["-", "There are: "]),
    (["--"], ["--", "There are: "]),
    (["--config-name", "foo"], ["--config-name", "Did you mean --config-dir"]),
    (["-cn", "foo"], ["-cn", "There are: "]),
    (["--config-path=foo"], ["--config-path", "There are: "]),
    (["--cfg", "wrong"], ["--cfg", "wrong", "job"]),
    (["--cfg"], ["--cfg", "expected one argument", "advlab --help"]),
    (["--cfg", "job", "--package", "nope"], ["--package nope", "There are: "]),
    (["--cfg", "job", "model=nope"], ["'nope'", "There are: "]),
    (["--cfg", "job", "run.sede=1"], ["run.sede", "Did you mean seed?"]),
    (["--cfg", "job", "-m", "run.seed=1,2"], ["--cfg and --multirun", "leave one out"]),
    (["--help", "model=vgg61"], ["'vgg61'", "vgg16"]),
    (["help", "model=vgg61"], ["'vgg61'", "vgg16"]),
    (["--info", "nope"], ["--info nope", "plugins"]),
    (["--config-dir"], ["--config-dir", "expected one argument"]),
    (["--config-dir", "nope"], ["--config-dir nope", "no such folder"]),
    (["--config-dir="], ["--config-dir", "no such folder"]),
    (["-cd", "a folder with spaces"], ["a folder with spaces", "no such folder"]),
    # plug-ins
    (["--plugin"], ["--plugin", "takes a Python file"]),
    (["model=lenet", "--plugin"], ["--plugin", "takes a Python file"]),
    (["--plugin", "--help"], ["--plugin", "takes a Python file"]),
    (["--plugin="], ["--plugin", "takes a Python file"]),
    (["--plugin", "nope.py"], ["nope.py does not exist", "takes a Python file"]),
    (["--plugin", "no such folder/my plug-in.py"], ["no such folder/my plug-in.py does not exist"]),
    (["--plugin", "/"], ["is no file", "takes a Python file"]),
    (["--plugin", __file__.removesuffix("tests/test_cli.py") + "LICENSE"], ["LICENSE", "takes one that ends in .py"]),
    # what would run code, or write elsewhere
    (["hydra.callbacks.x._target_=os.system"], ["hydra.callbacks", "not configurable"]),
    (["+hydra.callbacks.x._target_=os.system"], ["hydra.callbacks", "not configurable"]),
    (["+hydra/callbacks=x"], ["hydra/callbacks", "not configurable"]),
    (["hydra/job_logging=default"], ["hydra/job_logging", "not configurable"]),
    (["hydra/hydra_logging=colorlog"], ["hydra/hydra_logging", "not configurable"]),
    (["hydra.job_logging.version=2"], ["hydra.job_logging", "not configurable"]),
    (["-m", "hydra.launcher._target_=os.system"], ["os.system", "Leave it out"]),
    (["-m", "hydra.launcher._target_=hydra._internal.utils._locate"], ["_locate", "Leave it out"]),
    (["-m", "hydra.sweeper._target_=os.system"], ["os.system", "Leave it out"]),
    (["-m", "hydra/sweeper=nope"], ["'nope'", "basic"]),
    (["hydra.run.dir=elsewhere"], ["hydra.run.dir", "run.output_root"]),
    (["-m", "hydra.sweep.dir=elsewhere"], ["hydra.sweep.dir", "run.output_root"]),
    (["-m", "hydra.job.chdir=true"], ["hydra.job.chdir", "not configurable"]),
    (["hydra.mode=MULTIRUN"], ["hydra.mode", "-m sweeps"]),
    (["hydra.searchpath=[file:///tmp]"], ["hydra.searchpath", "not configurable"]),
    (["hydra=default"], ["hydra", "not configurable"]),
    (["hydra.nope=1"], ["hydra.nope", "not configurable"]),
    # interpolations and missing values
    (["model.classes=${oc.env:NOPE}"], ["model.classes", "NOPE", "Write the value itself"]),
    (["model.classes=${nope}"], ["model.classes", "nope", "Write the value itself"]),
    (["model.classes=${run.nope}"], ["model.classes", "run.nope", "Write the value itself"]),
    (["model.classes=${nope:1}"], ["model.classes", "nope", "Write the value itself"]),
    (["model.classes=${model.classes}"], ["ecursive"]),
    (["model.classes=${"], ["model.classes=${", "close its brackets"]),
    (["${nope}"], ["${nope}", "There are: "]),
    (["run.seed=???"], ["run.seed", "a value is needed: type run.seed="]),
    # commands
    (["listt"], ["'listt'", "Did you mean list?"]),
    (["isotropy"], ["'isotropy'", "Did you mean experiment=isotropy?"]),
    (["lenet"], ["'lenet'", "Did you mean model=lenet?"]),
    (["train"], ["'train'", "advlab experiment=NAME model=NAME"]),
    (["run"], ["'run'", "run.KEY=VALUE"]),
    (["model=lenet", "list"], ["'list'", "comes first"]),
    (["list", "model=lenet"], ["'model=lenet'", "models"]),
    (["list", "nope"], ["'nope'", "experiments"]),
    (["list", "models", "datasets"], ["datasets", "usage: advlab list"]),
    (["list", "--nope"], ["--nope", "usage: advlab list"]),
    (["describe"], ["NAME", "usage: advlab describe"]),
    (["describe", "nope"], ["'nope'", "There are: "]),
    (["describe", "isotrpy"], ["'isotrpy'", "Did you mean isotropy"]),
    (["describe", "none"], ["'none'", "There are: "]),
    (["describe", "a", "b"], ["b", "usage: advlab describe"]),
    (["plot"], ["RUN", "usage: advlab plot"]),
    (["plot", "nope"], ["nope is no run directory", "outputs/isotropy/digits-lenet/v001"]),
    (["plot", "."], ["is no run directory", "outputs/isotropy/digits-lenet/v001"]),
    (["plot", "nope", "--output"], ["--output", "usage: advlab plot"]),
    (["resume"], ["RUN", "usage: advlab resume"]),
    (["resume", "nope"], ["nope is no run directory", "outputs/isotropy/digits-lenet/v001"]),
    (["resume", "a", "b"], ["b", "usage: advlab resume"]),
]


def shown(arguments: list[str]) -> str:
    return shlex.join(argument[:40] for argument in arguments).encode("ascii", "backslashreplace").decode()


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=[f"{n}: {shown(line)}" for n, (line, _) in enumerate(BAD)])
def test_bad_line_names_fault_and_remedy(
    arguments: list[str], words: list[str], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    ended = cli(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("advlab: ")
    for word in words:
        assert word in ended.err
    for never in ("Traceback", "HYDRA_FULL_ERROR", "LexerNoViable", "object_type", "no viable alternative"):
        assert never not in ended.err
    assert len(ended.err) < 4000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run.device=mps"], ["run.device=mps", "run.device=cpu"]),
        (["run.device=cuda:77"], ["run.device=cuda:77", "run.device=cpu"]),
        (["recipe=none"], ["no recipe", "recipe=NAME"]),
        (["model.checkpoint=nope.safetensors"], ["nope.safetensors does not exist", "model.checkpoint"]),
        (["dataset=folder"], ["dataset.root=/path/to/images"]),
        (["dataset=folder", "dataset.root=nope"], ["nope", "dataset.root="]),
        (["model=vgg16"], ["imagenet does not exist", "dataset.root=/path/to/imagenet"]),
        (["model=vgg16", "dataset=digits"], ["3x224x224", "dataset.size=224 dataset.channels=3"]),
        (["dataset.size=32"], ["1x28x28", "model.input=[1,32,32]"]),
        (["model=mlp", "dataset=digits", "model.classes=11"], ["11 classes", "model.classes=10"]),
        (["model=lenet_mnist", "run.download=false"], ["MNIST is not in", "run.data_root="]),
    ],
    ids=lambda value: shown(value) if value and "=" in value[0] else "",
)
def test_what_only_loading_finds_leaves_nothing_either(
    arguments: list[str], words: list[str], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    ended = cli(*arguments)
    assert ended.code == 2
    for word in words:
        assert word in ended.err
    assert "Traceback" not in ended.err
    assert list(tmp_path.iterdir()) == []


def test_cuda_is_refused_where_there_is_none(cli: Callable[..., Ended], tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    ended = cli("run.device=cuda")
    assert ended.code == 2
    assert "run.device=auto or run.device=cpu" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    """One process for many lines: it stops at the first that imports torch, pandas or matplotlib."""
    lines: list[tuple[list[str], int]] = [
        (["--help"], 0), (["--version"], 0), (["list"], 0), (["describe", "isotropy"], 0), (["describe", "vgg16"], 0),
        (["describe", "run"], 0), (["describe", "lenet_digits"], 0), (["--cfg", "job"], 0),
        *[(line, 2) for line, _ in BAD[::4] if not any("\0" in text or len(text) > 1000 for text in line)],
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", TORCHLESS, json.dumps(lines)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.iterdir()) == []


def test_a_fault_in_a_process_of_its_own(shell: Callable[..., Ended], tmp_path: Path) -> None:
    ended = shell("model=vgg61")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("advlab: there is no model 'vgg61'. Did you mean vgg16")
    assert ended.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# what is right


def test_help_lists_groups_choices_and_commands(cli: Callable[..., Ended]) -> None:
    texts = [cli(*arguments).out for arguments in (["--help"], ["-h"], ["help"], ["model=lenet", "--help"])]
    for word in ("model:", "vgg16", "ciresan", "dataset:", "isotropy", "advlab resume", "--plugin", "run.preset"):
        assert all(word in text for text in texts)


def test_version(cli: Callable[..., Ended]) -> None:
    import advlab

    assert cli("--version").out == f"advlab {advlab.__version__}\n"
    assert cli("model=lenet", "--version").code == 0


@pytest.mark.parametrize("verb", ["list", "describe", "plot", "resume"])
def test_commands_have_help(verb: str, cli: Callable[..., Ended]) -> None:
    ended = cli(verb, "--help")
    assert ended.code == 0
    assert f"usage: advlab {verb}" in ended.out


@pytest.mark.parametrize("family", ["experiments", "models", "datasets", "attacks", "probes", "recipes", "model"])
def test_list_of_one_family(family: str, cli: Callable[..., Ended]) -> None:
    ended = cli("list", family)
    assert ended.code == 0
    assert ended.out.startswith(f"{family.rstrip('s')}=")
    assert ended.out.count("=") >= 1


def test_list_shows_every_choice(cli: Callable[..., Ended]) -> None:
    from advlab import components
    from advlab.commands import group_choices

    out = cli("list").out
    for group in components.FAMILIES:
        for choice in group_choices(group):
            assert choice in out


def test_describe_every_choice_of_every_group(cli: Callable[..., Ended]) -> None:
    from advlab import components
    from advlab.commands import group_choices

    for group in components.FAMILIES:
        for choice in set(group_choices(group)) - {"none"}:
            ended = cli("describe", choice)
            assert ended.code == 0, choice
            assert f"{group}={choice}: " in ended.out
            assert "parameters (as " in ended.out
            assert "0x" not in ended.out  # no object's address


def test_describe_an_experiment_names_paper_defaults_and_sources(cli: Callable[..., Ended]) -> None:
    out = cli("describe", "isotropy").out
    for word in ("aghdam2017, figure 1", "radii = [0.1, 1, 2", "trials = 100", "cost:", "presets:", "run.dry=true"):
        assert word in out
    assert "of the sample choice" in cli("describe", "run").out


def test_the_composed_configuration_is_shown(cli: Callable[..., Ended], tmp_path: Path) -> None:
    import yaml

    ended = cli("run.seed=3", "--cfg", "job", "model=mlp")
    assert ended.code == 0
    content = yaml.safe_load(ended.out)
    assert content["dataset"]["name"] == "mnist"
    assert content["run"]["seed"] == 3
    part = cli("--cfg=job", "--package", "run")
    assert yaml.safe_load(part.out)["seed"] == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", [["--hydra-help"], ["--info"], ["--info", "searchpath"], ["--info", "run.seed=1"]])
def test_hydras_own_information(flag: list[str], cli: Callable[..., Ended], tmp_path: Path) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        assert cli(*flag).code == 0
    finally:  # Hydra leaves a handler on a stream that ends with this test
        root.handlers, root.level = handlers, level
    assert list(tmp_path.iterdir()) == []


def test_the_last_of_two_overrides_wins(cli: Callable[..., Ended]) -> None:
    """`make demo ARGS="run.preset=tiny"` relies on it."""
    assert "mnist" in cli("model=lenet", "model=mlp", "--cfg", "job").out
    assert "preset: tiny" in cli("run.preset=laptop", "run.preset=tiny", "--cfg", "job").out


def test_a_dry_run_writes_nothing_at_all(
    cli: Callable[..., Ended], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("other") / "cache"
    ended = cli("run.dry=true", f"run.cache_root='{cache}'", "run.preset=laptop")
    assert ended.code == 0
    for word in (
        "plan of isotropy",
        "cells",
        "forwards",
        "backwards",
        "FLOPs",
        "time",
        "memory",
        "nothing was written",
    ):
        assert word in ended.out
    assert list(tmp_path.iterdir()) == []
    assert not cache.exists()


TINY = (
    "run.preset=tiny",
    "probe.trials=4",
    "probe.radii=[1]",
    "recipe.epochs=2",
    "probe.confidence=0",
    "run.batch_size=8",
)


def test_output_paths_with_spaces_and_signs(cli: Callable[..., Ended], tmp_path: Path) -> None:
    root = "my results/été [1], 100%"
    ended = cli(*TINY, f'run.output_root="{root}"')
    assert ended.code == 0, ended.err
    assert (tmp_path / root / "isotropy/digits-lenet/v001/manifest.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my results"]
    drawn = cli("plot", f"{root}/isotropy/digits-lenet/v001")
    assert drawn.code == 0
    assert cli("resume", f"{root}/isotropy/digits-lenet/v001").out.endswith("complete, nothing left to do\n")


def test_a_sweep_where_one_job_fails(cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli(*TINY, "model.checkpoint='',nope.safetensors", "-m", 'run.output_root="été 1"')
    assert ended.code == 1
    assert "2 jobs:" in ended.out
    assert "complete" in ended.out
    assert "nope.safetensors does not exist" in ended.out
    assert "1 of 2 jobs failed" in ended.err
    assert "Traceback" not in ended.err
    assert (tmp_path / "été 1/isotropy/digits-lenet/v001/manifest.json").is_file()
    assert not (tmp_path / "été 1/isotropy/digits-lenet/v002").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["été 1"]
    assert sorted(path.name for path in (tmp_path / "été 1").iterdir()) == [".sweeps", "isotropy"]


def test_a_sweep_draws_its_runs_together(cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli("-m", *TINY, "run.seed=0,1", "recipe.epochs=2,3", "recipe.name=short")
    assert ended.code == 0, ended.err
    assert "4 jobs:" in ended.out
    assert "again:    advlab plot " in ended.out
    runs = sorted((tmp_path / "outputs/isotropy/digits-lenet").glob("v*"))
    assert len(runs) == 4
    seeds = [json.loads((run / "manifest.json").read_text())["config"]["run"]["seed"] for run in runs]
    assert sorted(seeds) == [0, 0, 1, 1]


def test_a_sweep_of_dry_plans_writes_nothing(cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli("-m", "run.dry=true", "run.seed=0,1", "run.preset=tiny")
    assert ended.code == 0
    assert ended.out.count("plan of isotropy") == 2
    assert list(tmp_path.iterdir()) == []


# completion

PLUGIN = """
import advlab

@advlab.model("grown_net", input_shape=(1, 28, 28), dataset="digits")
def grown_net(width: int = 3):
    from torch import nn
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
"""


def completed(call: Callable[..., Ended], line: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What bash would offer for a line with the cursor at its end."""
    for key, value in {"COMP_LINE": line, "COMP_POINT": len(line), "COMP_CWORD": len(line.split()) - 1}.items():
        monkeypatch.setenv(key, str(value))
    ended = call("-sc", "query=bash")
    assert ended.code == 0
    assert ended.err == ""
    return ended.out.split()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("advlab mod", "model="),
        ("advlab model=len", "model=lenet"),
        ("advlab model=len", "model=lenet_mnist"),
        ("advlab model=lenet run.see", "run.seed="),
        ("advlab -m model=vgg1", "model=vgg16"),
        ("advlab --plugin nope.py model=len", "model=lenet"),
    ],
)
def test_completion(
    line: str, wanted: str, cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offered = completed(cli, line, monkeypatch)
    assert wanted in offered
    assert all(word.startswith(line.split()[-1]) for word in offered)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", ["--plugin plug.py", "--plugin=plug.py", "run.seed=1 --plugin plug.py"])
def test_completion_knows_plugins(
    flag: str, shell: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "plug.py").write_text(PLUGIN)
    assert completed(shell, f"advlab {flag} model=grown", monkeypatch) == ["model=grown_net"]


def test_completion_installs(shell: Callable[..., Ended]) -> None:
    ended = shell("-sc", "install=bash")
    assert ended.code == 0
    assert "complete" in ended.out
    assert "advlab" in ended.out


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -m advlab --help | head -c 10",
        shell=True, cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ),
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
