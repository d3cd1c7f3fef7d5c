"""RobustBench's networks by name: found on their leaderboards, with the weights that lie where robustbench keeps them."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from advlab.errors import MissingPackageError, ModelError
from advlab.models.robustbench_networks import Robustbench, leaderboards
from tests.helpers.classifiers import images, loaded
from tests.helpers.commands import Ended
from tests.helpers.fake_robustbench import write_package

pytest.importorskip("timm", reason='needs pip install "advlab[timm]"')
SHAPE = (3, 32, 32)
REAL = importlib.util.find_spec("robustbench") is not None


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("robustbench", "gdown")]:
        sys.modules.pop(name)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A made robustbench, an empty folder of models, and no network; gives the folder."""
    forget()
    write_package(tmp_path / "packages")
    (tmp_path / "packages" / "gdown.py").write_text("def download(id, output):\n    raise OSError('no network here')\n")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "models" / "cifar10" / "Linf"
    forget()


def place(path: Path, state: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)


def weights(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "linear.weight": torch.randn(10, 3, generator=generator),
        "linear.bias": torch.randn(10, generator=generator),
    }


def logits(state: dict[str, Tensor], x: Tensor) -> Tensor:
    return (x - 0.5).mean((2, 3)) @ state["linear.weight"].T + state["linear.bias"]


def test_weights_of_its_folder(fake: Path) -> None:
    state = weights(1)
    place(fake / "Wong2020Fast.pt", {"state_dict": {f"module.{name}": value for name, value in state.items()}})
    found = loaded(Robustbench(arch="Wong2020Fast"), shape=SHAPE)
    x = images(SHAPE)
    torch.testing.assert_close(found.classifier(x), logits(state, x))
    assert found.origin.endswith("models/cifar10/Linf/Wong2020Fast.pt")
    assert "robustbench" not in sys.modules  # whoever imports all of it later gets all of it
    elsewhere = Robustbench(arch="Wong2020Fast", checkpoint=str(fake / "Wong2020Fast.pt"))
    assert loaded(elsewhere, shape=SHAPE).classifier.digest() == found.classifier.digest()


def test_an_ensemble_has_several_files(fake: Path) -> None:
    states = [weights(2), weights(3)]
    place(fake / "Chen2020Adversarial.pt_m0.pt", states[0])
    model = Robustbench(arch="Chen2020Adversarial")
    with pytest.raises(ModelError, match=r"gdown 2two -O models/cifar10/Linf/Chen2020Adversarial\.pt_m1\.pt") as caught:
        loaded(model, shape=SHAPE)
    assert "1two" not in str(caught.value)
    place(fake / "Chen2020Adversarial.pt_m1.pt", states[1])
    x = images(SHAPE)
    torch.testing.assert_close(loaded(model, shape=SHAPE).classifier(x), sum(logits(state, x) for state in states))


@pytest.mark.parametrize("download", [False, True])
def test_missing_weights_name_file_and_command(fake: Path, download: bool) -> None:
    with pytest.raises(ModelError, match="no network here" if download else r"run\.download=false") as caught:
        loaded(Robustbench(arch="Wong2020Fast"), shape=SHAPE, download=download)
    for words in (
        "mkdir -p models/cifar10/Linf && python -m gdown 1one -O models/cifar10/Linf/Wong2020Fast.pt",
        str(fake),
    ):
        assert words in str(caught.value)
    assert not fake.exists() or not list(fake.iterdir())


def test_a_hostile_file_is_refused(fake: Path) -> None:
    place(fake / "Wong2020Fast.pt", {"state_dict": weights(1), "args": argparse.Namespace()})
    with pytest.raises(ModelError, match=r"holds argparse.Namespace, and files that hold more than tensors are not"):
        loaded(Robustbench(arch="Wong2020Fast"), shape=SHAPE)


def test_weights_that_do_not_fit_are_named(fake: Path) -> None:
    place(fake / "Wong2020Fast.pt", {"state_dict": {"linear.weight": torch.zeros(7, 3)}})
    with pytest.raises(ModelError, match=r"do not fit robustbench's Wong2020Fast: .*linear\.weight"):
        loaded(Robustbench(arch="Wong2020Fast"), shape=SHAPE)


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"arch": "Wong2020Fats"}, r"no network 'Wong2020Fats' for cifar10 and Linf\. Did you mean Wong2020Fast"),
        ({"arch": "Wong2020Fast", "threat": "L2"}, r"It is there by model\.benchmark=cifar10 model\.threat=Linf"),
    ],
)
def test_near_names_are_offered(fake: Path, keys: dict[str, Any], fault: str) -> None:
    with pytest.raises(ModelError, match=fault):
        Robustbench(**keys).check_files()


def test_sizes_follow_from_the_preprocessing(fake: Path) -> None:
    model = Robustbench(arch="Wong2020Faster", benchmark="imagenet", threat="L2")
    assert (model.shape, model.class_count, model.crop, model.resample) == ((3, 224, 224), 1000, 224 / 256, "bicubic")
    assert (Robustbench(arch="Wong2020Fast").shape, Robustbench(arch="Wong2020Fast").crop) == (SHAPE, 1.0)


def test_the_remedy_of_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    monkeypatch.setitem(sys.modules, "robustbench", None)
    with pytest.raises(MissingPackageError, match=r'pip install "advlab\[robustbench\]"'):
        Robustbench(arch="Wong2020Fast").check_files()


def test_a_run_from_start_to_end(fake: Path, cli: Callable[..., Ended]) -> None:
    place(fake / "Wong2020Fast.pt", {"state_dict": weights(1)})
    line = [
        "model=robustbench",
        "model.arch=Wong2020Fast",
        "dataset=digits",
        "run.preset=tiny",
        "probe.confidence=0.01",
    ]
    ended = cli(*line)
    assert ended.code == 2
    assert "3x32x32" in ended.err
    ended = cli(*line, "dataset.size=32", "dataset.channels=3")
    assert ended.code == 0, ended.err
    assert "robustbench-Wong2020Fast on digits" in ended.out


@pytest.mark.skipif(not REAL, reason='needs pip install "advlab[robustbench]"')
def test_the_real_leaderboards_and_one_of_their_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    boards = leaderboards()
    assert len(boards["cifar10", "Linf"]) > 50
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = boards["cifar10", "Linf"]["Wong2020Fast"]["model"]().eval()
    state = {f"module.{name}": value for name, value in network.state_dict().items() if name not in ("mu", "sigma")}
    place(tmp_path / "models" / "cifar10" / "Linf" / "Wong2020Fast.pt", state)
    x = images(SHAPE, 2)
    found = loaded(Robustbench(arch="Wong2020Fast"), shape=SHAPE)
    torch.testing.assert_close(found.classifier(x), network(x), rtol=1e-4, atol=1e-5)
