"""`advlab.run` and `advlab.sweep`: the command line's runs, checks and messages, for networks and images of a session."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn
from torch.utils.data import TensorDataset

import advlab
from advlab.api.objects import dataset_choice
from advlab.config.components import REGISTRIES
from advlab.errors import ConfigError, DataError
from tests.helpers.commands import Ended
from tests.helpers.sessions import PROBE_OF, a_network, run_of, some_images


def test_a_module_and_arrays_are_measured_and_read_back() -> None:
    run = run_of(model=a_network(), dataset=some_images())
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
    run = run_of(model=a_network(), dataset=some_images())
    assert capsys.readouterr().out == ""
    page = run._repr_html_()
    encoded = re.search(r'src="data:image/png;base64,([^"]+)"', page)
    assert encoded is not None
    assert base64.b64decode(encoded[1]) == run.figures[0].read_bytes()
    assert page.count("<tr>") > len(run.claims)


def test_names_of_strangers_are_inert_in_a_notebook() -> None:
    x, y = some_images()
    run = run_of(model=a_network(), dataset=(x, y, ["<script>alert(1)</script>", "b", "c"]))
    assert "<script" not in run._repr_html_()


def test_floats_are_not_rounded_and_other_content_is_another_configuration() -> None:
    x, y = some_images()
    digests = set()
    for shifted in (x, (x * 255).round() / 255, x.flip(0)):
        run = run_of(model=a_network(), dataset=(shifted, y))
        digests.add((run.manifest["dataset"]["digest"], run.manifest["digest"]))
    assert len(digests) == 3
    assert len({digest for _, digest in digests}) == 3


def test_each_kind_of_images_is_the_same_dataset() -> None:
    x, y = some_images()
    kinds: list[Any] = [(x, y), (x.numpy(), y.numpy()), TensorDataset(x, y), {"train": (x, y), "test": (x, y)}]
    assert len({str(dataset_choice(kind)) for kind in kinds}) == 1
    assert dataset_choice((np.zeros((4, 9, 7, 3), np.uint8), np.array([0, 1, 2, 3])))[1:] == ((3, 9, 7), 4)
    assert dataset_choice((np.zeros((4, 9, 7), np.uint8), np.array([0, 1, 1, 0])))[1:] == ((1, 9, 7), 2)


def forget_the_session() -> None:
    """As in another process, which knows nothing of the network and the images."""
    REGISTRIES["model"].forget("sequential")
    REGISTRIES["dataset"].forget("arrays")


def test_ctrl_c_leaves_a_run_that_resumes(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], cli: Any
) -> None:
    import os
    import signal

    from advlab.store.run_directory import RunDirectory

    write, written = RunDirectory.write_cell, []

    def interrupted(self: RunDirectory, *arguments: Any, **options: Any) -> None:
        write(self, *arguments, **options)
        written.append(arguments[0])
        if len(written) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(RunDirectory, "write_cell", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # of a shell's background it may be ignored
    try:
        options: dict[str, Any] = {
            "model": a_network(),
            "dataset": some_images(),
            "probe": {**PROBE_OF, "samples": 12},
        }
        with pytest.raises(KeyboardInterrupt, match="call it again with resume=True"):
            run_of(**options)
        assert "interrupted; go on with: the same call with resume=True\n" in capfd.readouterr().err
        forget_the_session()
        unfinished = cli("resume", "outputs/isotropy/arrays-sequential/v001")
        assert unfinished.code == 2
        assert "was made in Python with a network or images of a session" in unfinished.err
        assert "call advlab.run(..., resume=True)" in unfinished.err
        run = run_of(**options, resume=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert run.path.name == "v001"
    assert len(set(written)) == len(written)
    forget_the_session()
    complete = cli("resume", str(run.path))
    assert (complete.code, complete.out) == (0, f"{run.path}: complete, nothing left to do\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "lenett"}, "there is no model 'lenett'. Did you mean lenet"),
        ({"prob": {}}, "prob: there is no such option. Did you mean probe"),
        ({"probe": {"trails": 3}}, "probe.trails: there is no such key. Did you mean trials"),
        ({"probe": {"trials": object()}}, "probe.trials: a object cannot be typed"),
        ({"attack": 3}, "attack=3: expected a name, or a mapping"),
        ({"dataset": 3}, "dataset: expected a name, (images, labels) or a torch Dataset"),
        ({"dataset": {"tests": some_images()}}, "dataset.tests: "),
        ({"model": nn.Flatten()}, "model: say what images the module takes: input_shape=(C, H, W)"),
        ({"model": nn.Flatten(), "dataset": some_images(), "workers": 2}, "model: a module of this session is not on workers"),
        ({"dataset": some_images()[::-1]}, "dataset: images and labels are swapped (got (30,) and (30, 1, 8, 8) for train)"),
        ({"dataset": (np.zeros((4, 9)), np.zeros(4))}, "dataset: expected images (N, H, W), "),
        ({"samples": 10}, "samples: there is no such option. It is a key of a component: type probe={'samples': 10}"),
        (
            {"attack": "hc1", "epsilon": 0.25},
            "epsilon: there is no such option. It is a key of a component: type attack={'name': 'hc1', 'epsilon': 0.25}",
        ),
        ({"model": "cnn.pt"}, "model='cnn.pt' is a file of weights: name its network, too: "
                              "model={'name': NAME, 'checkpoint': 'cnn.pt'}"),
        ({"model": "mycnn"}, "there is no model 'mycnn'. Did you mean nin"),
        ({"dry": True}, "run.dry: a dry run makes no run to read"),
    ],
)  # fmt: skip
def test_faults_are_exceptions_with_the_command_lines_messages(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run_of(**options)
    assert str(caught.value).startswith(message)


def test_messages_speak_of_options_of_a_call(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"by data_root=\.\.\. .*, or allow the download with download=True"):
        run_of(model="lenet_mnist", dataset="mnist", data_root=str(tmp_path), download=False, input_shape=None)
    with pytest.raises(ConfigError, match=r"One of your own must be registered before: @advlab.model\('mycnn', ...\)"):
        run_of(model="mycnn")


def test_a_sweep_takes_its_experiment_as_a_run_does() -> None:
    with pytest.raises(ConfigError, match=r"there is no experiment 'attack_surveyy'\. Did you mean attack_survey"):
        advlab.sweep({"seed": [0]}, "attack_surveyy")


def test_a_sweep_compares_its_runs() -> None:
    swept = advlab.sweep(
        {"probe.trials": [4, 8], "seed": [0, 1]}, experiment="isotropy", model=a_network(), dataset=some_images(), preset="tiny",
        device="cpu", probe=PROBE_OF,
    )  # fmt: skip
    assert [run.manifest["config"]["probe"]["trials"] for run in swept.runs] == [4, 4, 8, 8]
    assert [run.manifest["config"]["run"]["seed"] for run in swept.runs] == [0, 1, 0, 1]
    assert {"mean", "deviation", "n"} <= set(swept.table.columns)
    with pytest.raises(ConfigError, match="over: seed names no values"):
        advlab.sweep({"seed": []})


def test_a_cell_of_a_notebook_may_be_run_again() -> None:
    def build() -> nn.Module:
        return a_network()

    build.__module__ = "__main__"
    for _ in range(2):
        advlab.model("mine", input_shape=(1, 8, 8))(build)
    build.__module__ = "a_plug_in"
    with pytest.raises(ConfigError, match="taken already"):
        advlab.model("mine", input_shape=(1, 8, 8))(build)


def test_a_recipe_beside_a_module_is_warned_about() -> None:
    with pytest.warns(UserWarning, match="a module is measured as it is"):
        run_of(model=a_network(), dataset=some_images(), recipe="lenet_digits")


def test_a_run_stands_for_its_directory_and_shows_itself_in_a_line() -> None:
    one, other = (
        run_of(model=a_network(), dataset=some_images()),
        run_of(model=a_network(1), dataset=some_images()),
    )
    compared = advlab.compare(one, other)
    assert set(compared["kind"]) >= {"option", "claim"}
    assert advlab.load(one).path == one.path
    assert one.figure == one.path / "figures/isotropy.png"
    holding = list(one.claims["verdict"]).count("holds")
    open_ones = len(one.claims) - holding - list(one.claims["verdict"]).count("does not hold")
    said = f"{len(one.table)} rows, {holding} of {len(one.claims)} statements hold, {open_ones} are not decided"
    assert repr(one) == f"<advlab.Run {one.path}: sequential on arrays, {said}>"
