"""Networks and images of a session: what they are called, what tells them apart, and what is refused."""

from __future__ import annotations

import ast
import traceback
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import advlab
from advlab.api.objects import dataset_choice
from advlab.errors import ConfigError, ModelError
from tests.helpers.sessions import a_network, run_of, some_images


def test_another_module_of_the_same_class_takes_the_place_of_the_first() -> None:
    first, second = (
        run_of(model=a_network(0), dataset=some_images()),
        run_of(model=a_network(1), dataset=some_images()),
    )
    assert first.manifest["model"]["weights"] != second.manifest["model"]["weights"]
    assert second.path.name == "v002"
    (statements,) = {len(frame) for _, frame in advlab.claims().groupby("network")}
    assert statements == len(first.claims)  # two networks, neither of which repeats the other
    assert advlab.claims()["network"].nunique() == 2


def test_a_session_names_its_network_and_its_images() -> None:
    net = a_network()
    run = run_of(model=net, model_name="Net A", dataset=some_images(), dataset_name="blobs")
    assert run.path == Path("outputs/isotropy/blobs-Net_A/v001")
    assert run.manifest["label"] == "Net_A on blobs"
    run_of(model=net, model_name="Net B", dataset=some_images(), dataset_name="blobs")
    assert sorted(set(advlab.claims()["network"])) == ["Net_A on blobs", "Net_B on blobs"]
    again = run_of(model=net, model_name="Net A", dataset=some_images(), dataset_name="blobs", resume=True)
    assert again.path == run.path  # the weights are those that were measured
    with pytest.raises(ConfigError, match=r"model_name: .* 'lenet' has its name"):
        run_of(model="lenet", model_name="Net A")


class Blobs(TensorDataset):
    """A class of a user's own."""


def test_images_of_a_users_class_are_called_by_it() -> None:
    assert dataset_choice(Blobs(*some_images()))[0]["name"] == "blobs"
    assert dataset_choice(some_images())[0]["name"] == "arrays"


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
        run_of(model=model, dataset=some_images())


def test_a_module_with_a_fault_is_measured_as_it_is_by_what_the_message_says() -> None:
    squashed = nn.Sequential(a_network(), nn.Sigmoid())
    with pytest.raises(ModelError, match="squashed") as refused:
        run_of(model=squashed, dataset=some_images())
    said = str(refused.value).rpartition("(advlab.run: allow=")[2].removesuffix(")")
    run = run_of(model=squashed, dataset=some_images(), allow=ast.literal_eval(said))
    assert list(run.manifest["model"]["faults"]) == ["squashed"]
    with pytest.raises(ModelError, match=r"take away its final softmax, or let it return their logarithm"):
        run_of(model=nn.Sequential(a_network(), nn.Softmax(1)), dataset=some_images())
    assert len(run_of(model=nn.Sequential(a_network(), nn.LogSoftmax(1)), dataset=some_images()).table)


def test_print_shows_the_verdicts_of_a_run() -> None:
    run = run_of(model=a_network(), dataset=some_images())
    first, *lines = str(run).splitlines()
    assert first == f"sequential on arrays: {run.path}"
    assert len([line for line in lines if "claimed" in line]) == len(run.claims)
    assert "(no interval), claimed" in str(run)  # of three samples
    assert "inf" not in str(run).replace("linf", "")
    assert lines[-1].startswith("family of N: ")


def lines_of(error: BaseException) -> list[str]:
    """The lines of a traceback."""
    return "".join(traceback.format_exception(error)).splitlines()


def test_a_users_error_shows_the_call_and_the_message() -> None:
    for options in ({"model": "lenett"}, {"probe": {"trails": 3}}, {"model": nn.Flatten}):
        with pytest.raises(ConfigError) as refused:
            advlab.run("isotropy", **options)  # type: ignore[arg-type]
        lines = lines_of(refused.value)
        assert len(lines) < 12
        assert "advlab.run(" in "".join(lines)
        assert "direct cause" not in "".join(lines)


def test_a_cause_in_the_users_own_code_is_shown() -> None:
    advlab.model("broken_one", input_shape=(1, 8, 8), classes=3)(lambda: missing_name)  # type: ignore[name-defined]  # noqa: F821
    with pytest.raises(ModelError, match="name 'missing_name' is not defined") as refused:
        run_of(model="broken_one", dataset=some_images())
    assert isinstance(refused.value.__cause__, NameError)
    assert len(lines_of(refused.value)) < 30
