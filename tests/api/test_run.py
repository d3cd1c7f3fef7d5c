"""`advlab.run` and `advlab.sweep`: the command line's runs, checks and messages, for networks and images of a session."""

from __future__ import annotations

import ast
import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.core.config_store import ConfigStore
from torch import nn
from torch.utils.data import TensorDataset

import advlab
from advlab.api.objects import dataset_choice
from advlab.config import components
from advlab.errors import ConfigError, ModelError
from advlab.plugins.names import registered_choices
from tests.helpers.commands import Ended

PROBE = {"confidence": 0.2, "samples": 3, "trials": 8, "radii": [0.1, 1.0]}


@pytest.fixture(autouse=True)
def _session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A session in an empty folder, whose choices are gone afterwards."""
    monkeypatch.chdir(tmp_path)
    targets = {group: dict(registry._targets) for group, registry in components.REGISTRIES.items()}
    choices, repo = dict(registered_choices), ConfigStore.instance().repo
    stored = {group: dict(repo.get(group, {})) for group in components.REGISTRIES}
    yield
    for group, registry in components.REGISTRIES.items():
        registry._targets = targets[group]
        repo[group] = stored[group]
    registered_choices.clear()
    registered_choices.update(choices)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def images(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return torch.rand(30, 1, 8, 8), torch.arange(30) % 3


def call(**options: Any) -> advlab.Run:
    """A tiny run of isotropy."""
    return advlab.run("isotropy", preset="tiny", device="cpu", **{"probe": PROBE, **options})


def test_a_module_and_arrays_are_measured_and_read_back() -> None:
    run = call(model=network(), dataset=images())
    assert run.path == Path("outputs/isotropy/arrays-sequential/v001")
    assert len(run.table) == 3 * 2 * 2
    assert run.manifest["dataset"]["images"] == 30
    assert run.manifest["dataset"]["classes"] == ["class 0", "class 1", "class 2"]
    assert run.figures[0] == run.path / "figures/isotropy.png"


def test_it_is_the_command_lines_run(cli: Any) -> None:
    options = [
        "run.preset=tiny",
        "probe.samples=3",
        "probe.trials=8",
        "run.device=cpu",
        "run.batch_size=64",
        "run.output_root=typed",
    ]
    ended: Ended = cli("experiment=isotropy", "dataset=digits", "model=lenet", *options)
    assert ended.code == 0, ended.err
    run = advlab.run(
        model="lenet", dataset="digits", preset="tiny", probe={"samples": 3, "trials": 8}, device="cpu", batch_size=64
    )
    typed = Path("typed/isotropy/digits-lenet/v001")
    for name in ("table.csv", "claims.csv"):
        assert (run.path / name).read_bytes() == (typed / name).read_bytes()


def test_nothing_is_printed_where_a_notebook_shows_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    run = call(model=network(), dataset=images())
    assert capsys.readouterr().out == ""
    page = run._repr_html_()
    encoded = re.search(r'src="data:image/png;base64,([^"]+)"', page)
    assert encoded is not None
    assert base64.b64decode(encoded[1]) == run.figures[0].read_bytes()
    assert page.count("<tr>") > len(run.claims)


def test_names_of_strangers_are_inert_in_a_notebook() -> None:
    x, y = images()
    run = call(model=network(), dataset=(x, y, ["<script>alert(1)</script>", "b", "c"]))
    assert "<script" not in run._repr_html_()


def test_floats_are_not_rounded_and_other_content_is_another_configuration() -> None:
    x, y = images()
    digests = set()
    for shifted in (x, (x * 255).round() / 255, x.flip(0)):
        run = call(model=network(), dataset=(shifted, y))
        digests.add((run.manifest["dataset"]["digest"], run.manifest["digest"]))
    assert len(digests) == 3
    assert len({digest for _, digest in digests}) == 3


def test_each_kind_of_images_is_the_same_dataset() -> None:
    x, y = images()
    kinds: list[Any] = [(x, y), (x.numpy(), y.numpy()), TensorDataset(x, y), {"train": (x, y), "test": (x, y)}]
    assert len({str(dataset_choice(kind)) for kind in kinds}) == 1
    assert dataset_choice((np.zeros((4, 9, 7, 3), np.uint8), np.array([0, 1, 2, 3])))[1:] == ((3, 9, 7), 4)
    assert dataset_choice((np.zeros((4, 9, 7), np.uint8), np.array([0, 1, 1, 0])))[1:] == ((1, 9, 7), 2)


def test_another_module_of_the_same_class_takes_the_place_of_the_first() -> None:
    first, second = call(model=network(0), dataset=images()), call(model=network(1), dataset=images())
    assert first.manifest["model"]["weights"] != second.manifest["model"]["weights"]
    assert second.path.name == "v002"
    (statements,) = {len(frame) for _, frame in advlab.claims().groupby("network")}
    assert statements == len(first.claims)  # two networks, neither of which repeats the other
    assert advlab.claims()["network"].nunique() == 2


def test_a_session_names_its_network_and_its_images() -> None:
    net = network()
    run = call(model=net, model_name="Net A", dataset=images(), dataset_name="blobs")
    assert run.path == Path("outputs/isotropy/blobs-Net_A/v001")
    assert run.manifest["label"] == "Net_A on blobs"
    call(model=net, model_name="Net B", dataset=images(), dataset_name="blobs")
    assert sorted(set(advlab.claims()["network"])) == ["Net_A on blobs", "Net_B on blobs"]
    again = call(model=net, model_name="Net A", dataset=images(), dataset_name="blobs", resume=True)
    assert again.path == run.path  # the weights are those that were measured
    with pytest.raises(ConfigError, match=r"model_name: .* 'lenet' has its name"):
        call(model="lenet", model_name="Net A")


class Blobs(TensorDataset):
    """A class of a user's own."""


def test_images_of_a_users_class_are_called_by_it() -> None:
    assert dataset_choice(Blobs(*images()))[0]["name"] == "blobs"
    assert dataset_choice(images())[0]["name"] == "arrays"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Flatten, r"Flatten is a class: call it, Flatten\(\)"),
        (torch.relu, "relu is no torch.nn.Module"),
        (nn.Linear(4, 3).state_dict(), "a mapping of weights is no network"),
        (3, "int is no network"),
    ],
)
def test_what_is_no_network_is_said(model: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=f"model: {said}"):
        call(model=model, dataset=images())


def test_ctrl_c_leaves_a_run_that_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import signal

    from advlab.store.run_directory import RunDirectory

    write, written = RunDirectory.write_cell, []

    def interrupted(self: RunDirectory, *arguments: Any) -> None:
        write(self, *arguments)
        written.append(arguments[0])
        if len(written) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(RunDirectory, "write_cell", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # of a shell's background it may be ignored
    try:
        options: dict[str, Any] = {"model": network(), "dataset": images(), "probe": {**PROBE, "samples": 12}}
        with pytest.raises(KeyboardInterrupt, match="call it again with resume=True"):
            call(**options)
        run = call(**options, resume=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert run.path.name == "v001"
    assert len(set(written)) == len(written)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "lenett"}, "there is no model 'lenett'. Did you mean lenet"),
        ({"prob": {}}, "prob: there is no such option. Did you mean probe"),
        ({"probe": {"trails": 3}}, "probe.trails: there is no such key. Did you mean trials"),
        ({"probe": {"trials": object()}}, "probe.trials: a object cannot be typed"),
        ({"attack": 3}, "attack=3: expected a name, or a mapping"),
        ({"dataset": 3}, "dataset: expected a name, (images, labels) or a torch Dataset"),
        ({"dataset": {"tests": images()}}, "dataset.tests: "),
        ({"model": nn.Flatten()}, "model: say what images the module takes: input_shape=(C, H, W)"),
        ({"model": nn.Flatten(), "dataset": images(), "workers": 2}, "model: a module of this session is not on workers"),
        ({"dry": True}, "run.dry: a dry run makes no run to read"),
    ],
)  # fmt: skip
def test_faults_are_exceptions_with_the_command_lines_messages(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        call(**options)
    assert str(caught.value).startswith(message)


def test_a_sweep_compares_its_runs() -> None:
    swept = advlab.sweep(
        {"probe.trials": [4, 8], "seed": [0, 1]}, experiment="isotropy", model=network(), dataset=images(), preset="tiny",
        device="cpu", probe=PROBE,
    )  # fmt: skip
    assert [run.manifest["config"]["probe"]["trials"] for run in swept.runs] == [4, 4, 8, 8]
    assert [run.manifest["config"]["run"]["seed"] for run in swept.runs] == [0, 1, 0, 1]
    assert {"mean", "deviation", "n"} <= set(swept.table.columns)
    with pytest.raises(ConfigError, match="over: seed names no values"):
        advlab.sweep({"seed": []})


def test_a_cell_of_a_notebook_may_be_run_again() -> None:
    def build() -> nn.Module:
        return network()

    build.__module__ = "__main__"
    for _ in range(2):
        advlab.model("mine", input_shape=(1, 8, 8))(build)
    build.__module__ = "a_plug_in"
    with pytest.raises(ConfigError, match="taken already"):
        advlab.model("mine", input_shape=(1, 8, 8))(build)


def test_a_recipe_beside_a_module_is_warned_about() -> None:
    with pytest.warns(UserWarning, match="a module is measured as it is"):
        call(model=network(), dataset=images(), recipe="lenet_digits")


def test_a_run_stands_for_its_directory_and_shows_itself_in_a_line() -> None:
    one, other = call(model=network(), dataset=images()), call(model=network(1), dataset=images())
    compared = advlab.compare(one, other)
    assert set(compared["kind"]) >= {"option", "claim"}
    assert advlab.load(one).path == one.path
    assert one.figure == one.path / "figures/isotropy.png"
    holding = list(one.claims["verdict"]).count("holds")
    open_ones = len(one.claims) - holding - list(one.claims["verdict"]).count("does not hold")
    said = f"{len(one.table)} rows, {holding} of {len(one.claims)} statements hold, {open_ones} are not decided"
    assert repr(one) == f"<advlab.Run {one.path}: sequential on arrays, {said}>"


def test_a_module_with_a_fault_is_measured_as_it_is_by_what_the_message_says() -> None:
    squashed = nn.Sequential(network(), nn.Sigmoid())
    with pytest.raises(ModelError, match="squashed") as refused:
        call(model=squashed, dataset=images())
    said = str(refused.value).rpartition("(advlab.run: allow=")[2].removesuffix(")")
    run = call(model=squashed, dataset=images(), allow=ast.literal_eval(said))
    assert list(run.manifest["model"]["faults"]) == ["squashed"]
    with pytest.raises(ModelError, match=r"take away its final softmax, or let it return their logarithm"):
        call(model=nn.Sequential(network(), nn.Softmax(1)), dataset=images())
    assert len(call(model=nn.Sequential(network(), nn.LogSoftmax(1)), dataset=images()).table)


def test_print_shows_the_verdicts_of_a_run() -> None:
    run = call(model=network(), dataset=images())
    first, *lines = str(run).splitlines()
    assert first == f"sequential on arrays: {run.path}"
    assert len([line for line in lines if "claimed" in line]) == len(run.claims)
    assert "(no interval), claimed" in str(run)  # of three samples
    assert "inf" not in str(run).replace("linf", "")
    assert lines[-1].startswith("family of N: ")
