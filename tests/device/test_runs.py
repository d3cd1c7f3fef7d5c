"""Every experiment on the device, at `run.preset=tiny`: its table is that of the CPU."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from advlab.config import components
from advlab.config.choices import group_choices
from advlab.engine import units
from advlab.lab import DeviceContext
from tests.helpers.commands import Ended
from tests.helpers.long_cases import long_but, one_in
from tests.helpers.pretended_cuda import pretended_cuda
from tests.helpers.tiny_runs import DIGITS, OPTIONS, SPHERE, TINY
from tests.helpers.two_devices import assert_same_table, is_pretended

#: experiments that draw on the device itself, so that their numbers are others there; their rows are of the same shape
OWN_NUMBERS = {"hard_point_training"}
#: share of the rows that agree on a real device, of experiments whose rows are counts: one image at a boundary changes a row
LEAST = {"separability": 0.5}


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are drawn from the table, on the CPU; and a context of the device does not outlive its test."""
    monkeypatch.setattr("advlab.plotting.draw.draw_run", lambda *_: [])
    monkeypatch.setattr(units, "_prepared", {})


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The networks that these tests have trained on the CPU: the same of many experiments."""
    return tmp_path_factory.mktemp("trained") / "weights"


def run_on(cli: Callable[..., Ended], device: str, line: list[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table and the manifest of a run on a device, with outputs and a cache of its own."""
    ended = cli(*line, f"run.device={device}", f"run.output_root={device}/outputs", f"run.cache_root={device}/cache")
    assert ended.code == 0, ended.err
    (manifest,) = Path(device).glob("outputs/**/manifest.json")
    return pd.read_csv(manifest.with_name("table.csv")), json.loads(manifest.read_text())


@pytest.mark.parametrize(
    "experiment",
    long_but(
        [name for name in group_choices("experiment") if name != "none"],
        "isotropy", "topology", "attack_survey", "hard_point_training", "class_scores",
    ),
)  # fmt: skip
def test_an_experiment(
    experiment: str, cli: Callable[..., Ended], weights: Path, request: pytest.FixtureRequest
) -> None:
    line = [f"experiment={experiment}", *TINY, *OPTIONS[experiment]]
    on_device = issubclass(components.REGISTRIES["experiment"].load(experiment).context_type(), DeviceContext)
    if weights.is_dir():
        shutil.copytree(weights, "cpu/cache/weights")
    here, _ = run_on(cli, "cpu", line)
    if Path("cpu/cache/weights").is_dir():  # the same networks; all else is made anew
        shutil.copytree("cpu/cache/weights", weights, dirs_exist_ok=True)
        shutil.copytree("cpu/cache/weights", "cuda/cache/weights")
    request.getfixturevalue("cuda")
    there, manifest = run_on(cli, "cuda", line)
    assert manifest["device"] == ("cuda" if on_device else "cpu")
    if experiment in OWN_NUMBERS:
        assert there.notna().equals(here.notna())
    else:
        assert_same_table(here, there, least=LEAST.get(experiment, 0.9))


@pytest.mark.parametrize(
    "line",
    one_in(2, [
        ["experiment=isotropy", "probe.direction=fgv"], ["experiment=topology", "probe.noise=device", "probe.layer=all"],
        ["experiment=symmetricity", "probe.noise=device"], ["experiment=symmetry_map", "probe.noise=device"],
    ]),
    ids=" ".join,
)  # fmt: skip
def test_directions_that_the_device_draws(line: list[str], cli: Callable[..., Ended], cuda: torch.device) -> None:
    name = line[0].removeprefix("experiment=")
    table, _ = run_on(cli, "cuda", [*TINY, *OPTIONS[name], *line])
    assert table["sample"].nunique() == (1 if "experiment=symmetry_map" in line else 2)
    assert bool(table.select_dtypes("floating").notna().any(axis=None))


#: fitted to the training images, which a device's network is given
FITTED = """
import torch

import advlab

def middle(images, classifier):
    x = images.images(torch.arange(10))
    assert classifier(x.to(classifier.device)).device == classifier.device
    return {"mean": images.mean_image()}

@advlab.defense("centred", fit=middle)
def centred(images, *, fitted):
    return fitted["mean"] + 0.5 * (images - fitted["mean"])
"""


@pytest.mark.parametrize(("defense", "least"), [("[blur,shift]", 0.6), ("centred", 0.9)])
def test_a_run_behind_defenses(
    defense: str, least: float, cli: Callable[..., Ended], request: pytest.FixtureRequest
) -> None:
    """A random defense draws from a hash of the image's bits: a gradient's last bit that moves one pixel of an adversarial image
    to the next grey level draws anew, and may change that image's whole row. Each row is one of three images."""
    Path("centred.py").write_text(FITTED)
    line = ["--plugin", "centred.py", "experiment=attack_survey", *TINY, *DIGITS, "attack=fgv", "experiment.samples=3"]
    here, _ = run_on(cli, "cpu", [*line, f"defense={defense}"])
    shutil.copytree("cpu/cache/weights", "cuda/cache/weights")
    request.getfixturevalue("cuda")
    there, _ = run_on(cli, "cuda", [*line, f"defense={defense}"])
    assert_same_table(here, there, least=least)
    clean = ["sample", "label", "eligible"]  # nothing of which hangs on a gradient: the images are the same bits
    assert here[clean].equals(there[clean])


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_a_lower_precision(precision: str, cli: Callable[..., Ended], cuda: torch.device) -> None:
    line = ["experiment=isotropy", *TINY, *SPHERE]
    exact, _ = run_on(cli, "cuda", line)
    shutil.rmtree("cuda/outputs")
    table, _ = run_on(cli, "cuda", [*line, f"run.precision={precision}"])
    assert list(table["sample"]) == list(exact["sample"])
    difference = (table["range"] - exact["range"]).abs().max()
    assert difference < 0.05
    assert difference > 1e-6 or (precision == "tf32" and is_pretended())  # it was used: the CPU has no TF32


little_memory = pytest.mark.skipif(torch.cuda.is_available(), reason="a run takes too little of a real device's memory")


@little_memory
def test_a_run_out_of_memory_halves_its_batches(cli: Callable[..., Ended]) -> None:
    line = ["experiment=isotropy", *TINY, *SPHERE, "run.batch_size=400"]
    here, _ = run_on(cli, "cpu", line)
    shutil.copytree("cpu/cache/weights", "cuda/cache/weights")
    with pretended_cuda(memory=9_000_000):
        there, manifest = run_on(cli, "cuda", line)
        assert_same_table(here, there)
    assert manifest["batch_halvings"] == [200]  # images of the clean accuracy, whose first layer takes 46 kB each


@little_memory
def test_memory_that_runs_out_elsewhere_is_said_in_one_line(cli: Callable[..., Ended]) -> None:
    line = ["experiment=isotropy", *TINY, *SPHERE]
    with pretended_cuda(memory=2_500_000):  # less than a batch of the training
        untrained = cli(*line, "run.device=cuda", "run.cache_root=cuda/cache")
    run_on(cli, "cpu", line)
    shutil.copytree("cpu/cache/weights", "cuda/cache/weights", dirs_exist_ok=True)
    with pretended_cuda(memory=5_000_000):  # less than the noise
        trained = cli(*line, "run.device=cuda", "run.cache_root=cuda/cache")
    with pretended_cuda(memory=1_000):  # which others have taken: not even the labels fit
        taken = cli(*line, "run.device=cuda", "run.cache_root=cuda/cache")
    for ended, said in (
        (untrained, "training lenet ran out of memory: type a smaller recipe.batch_size= (now 64) or run.device=cpu"),
        (trained, "out of memory on cuda: start a new run with a smaller batch: type run.batch_size=25"),
        (taken, "out of memory on cuda: free its memory, which other processes may hold, or type run.device=cpu"),
    ):
        assert ended.code == 2
        assert said in ended.err
        assert "Traceback" not in ended.err
