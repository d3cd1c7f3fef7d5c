"""Runs of networks that lie quietly: refused, or measured as they are and said so beside every claim and in the manifest."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import advlab
from advlab.config.settings import Settings
from advlab.testing import settings_of
from tests.helpers.commands import Ended

NETWORKS = """
import random
import advlab, numpy as np, torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.hidden, self.fc = nn.Linear(64, width), nn.Linear(width, 10)
    def forward(self, x):
        return self.fc(torch.tanh(self.hidden(x.flatten(1))))

class Noisy(Net):
    def forward(self, x):
        return self.fc(F.dropout(torch.tanh(self.hidden(x.flatten(1))), 0.3))

class Batch(Net):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(1, track_running_stats=False)
    def forward(self, x):
        return super().forward(self.bn(x))

class Casts(Net):
    def forward(self, x):
        return super().forward(x.float())

class Lazy(Net):
    def __init__(self):
        super().__init__()
        self.hidden = nn.LazyLinear(12)

def own_generator():
    network = Net()
    network.fc.weight.data = torch.randn(10, 12, generator=torch.Generator().manual_seed(random.SystemRandom().getrandbits(40)))
    return network

def drawn():
    network = Net()
    with torch.no_grad():
        network.fc.weight.copy_(torch.from_numpy(np.random.rand(10, 12)) - random.random())
    return network

KINDS = {"net": Net, "noisy": Noisy, "batch": Batch, "casts": Casts, "lazy": Lazy, "drawn": drawn, "own": own_generator,
         "sigmoid": lambda: nn.Sequential(Net(), nn.Sigmoid())}

def register(name, make):
    @advlab.model(name, input_shape=(1, 8, 8), dataset="digits")
    def build():
        return make()

for name, make in KINDS.items():
    register(name, make)
"""
OPTIONS = (
    "probe.samples=2",
    "probe.trials=4",
    "probe.radii=[0.1,1]",
    "probe.confidence=0",
    "run.batch_size=8",
    "run.preset=tiny",
    "dataset.size=8",
)


@pytest.fixture
def call(cli: Callable[..., Ended], tmp_path: Path) -> Callable[..., Ended]:
    (tmp_path / "faulty.py").write_text(NETWORKS, encoding="utf-8")
    return lambda *line: cli("--plugin", str(tmp_path / "faulty.py"), *line)


def weights(folder: str) -> Any:
    return advlab.load(folder).manifest["model"]["weights"]


@pytest.mark.parametrize(
    ("name", "fault", "said"),
    [
        ("noisy", "noisy", "the same image gives other logits when it comes again"),
        ("batch", "batch", "depend on the other images in its batch"),
        ("sigmoid", "squashed", "those of a sigmoid or softmax"),
        ("own", "unseeded", "its factory gives other weights when it is called again under run.seed=0"),
    ],
)
def test_faults_are_refused_and_what_the_message_says_is_taken(
    call: Callable[..., Ended], name: str, fault: str, said: str
) -> None:
    ended = call(f"model={name}", *OPTIONS)
    assert ended.code == 2
    assert len(ended.err.strip().splitlines()) == 1
    assert said in ended.err
    remedy = ended.err.strip().rpartition("type ")[2].partition(" (advlab.run: ")[0]
    assert remedy == f'"model.allow=[{fault}]"'  # as bash and zsh take it
    (remedy,) = shlex.split(remedy)
    ended = call(f"model={name}", remedy, *OPTIONS)
    assert ended.code == 0, ended.err
    assert f"warning: {name} is measured as it is: " in ended.err
    run = advlab.load(f"outputs/isotropy/digits-{name}/v001")
    assert list(run.manifest["model"]["faults"]) == [fault]
    words = {
        "noisy": "noisy",
        "batch": "dependent on the batch",
        "squashed": "squashed to [0, 1]",
        "unseeded": "not repeatable",
    }
    assert f"caution: the network is {words[fault]} (model.allow)" in ended.out
    assert len(run.claims) > 0
    assert all(quantity.endswith(f"(the network is {words[fault]})") for quantity in run.claims["quantity"])
    assert ended.out.count(f"(the network is {words[fault]}): ") == len(run.claims)


def test_a_listed_network_is_checked_too(call: Callable[..., Ended]) -> None:
    line = (
        "experiment=attack_survey",
        "model=net",
        "attack=fgs",
        "experiment.transfer=[noisy]",
        "run.preset=tiny",
        "dataset.size=8",
    )
    ended = call(*line)
    assert ended.code == 2
    assert "noisy: the same image gives other logits" in ended.err
    ended = call(*line, "model.allow=[noisy]")
    assert ended.code == 0, ended.err
    assert "caution: noisy is noisy (model.allow)" in ended.out
    others = advlab.load("outputs/attack_survey/digits-net-fgs/v001").manifest["other_models"]
    assert list(others[0]["faults"]) == ["noisy"]


@pytest.mark.parametrize("name", ["net", "drawn", "lazy"])
def test_the_factory_runs_under_the_seed(call: Callable[..., Ended], name: str) -> None:
    for seed in (0, 0, 1):
        assert call(f"model={name}", f"run.seed={seed}", *OPTIONS).code == 0
    first, again, other = (weights(f"outputs/isotropy/digits-{name}/v00{i}") for i in (1, 2, 3))
    assert first == again != other


def test_without_float64_there_is_no_noise_floor_and_that_is_said(call: Callable[..., Ended]) -> None:
    ended = call("model=casts", *OPTIONS)
    assert ended.code == 0, ended.err
    assert "casts does not compute in float64: " in ended.err
    run = advlab.load("outputs/isotropy/digits-casts/v001")
    assert run.table["noise_floor"].isna().all()
    assert "not measured" in set(run.claims["verdict"])
    assert call("model=net", *OPTIONS).code == 0
    assert advlab.load("outputs/isotropy/digits-net/v001").table["noise_floor"].notna().any()


def test_an_unknown_fault_is_refused(call: Callable[..., Ended]) -> None:
    ended = call("model=noisy", "model.allow=[nosy]", *OPTIONS)
    assert ended.code == 2
    assert "Did you mean noisy?" in ended.err


def test_an_empty_list_changes_no_digest() -> None:
    def settings(**options: Any) -> Settings:
        return settings_of("isotropy", options)

    assert settings().digest == settings(**{"model.allow": []}).digest != settings(**{"model.allow": ["noisy"]}).digest
