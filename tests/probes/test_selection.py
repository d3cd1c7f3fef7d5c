"""Which images are probed: the order, predictions kept and made again, and the choice by confidence."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advlab.data.images import ImageData, tensor_digest
from advlab.errors import Interrupted, MeasurementError
from advlab.models.classifier import Classifier
from advlab.probes.selection import Predictions, order, predict, select
from advlab.store.artifacts import ArtifactStore

N = 60


def toy(name: str = "toy", split: str = "test", n: int = N, seed: int = 0) -> ImageData:
    pixels = torch.randint(0, 256, (n, 1, 3, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    labels = torch.arange(n) % 4
    return ImageData(name, split, ("a", "b", "c", "d"), labels, (1, 3, 3), tensor_digest(pixels, labels), pixels)


class Net(nn.Module):
    """Linear; `code` stands for what its author may edit without touching a weight."""

    def __init__(self, code: Callable[[Tensor], Tensor] = lambda z: z) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.code = nn.Linear(9, 4), code

    def forward(self, x: Tensor) -> Tensor:
        return self.code(self.linear(x.flatten(1)) * 8)


def wrap(network: nn.Module | None = None) -> Classifier:
    return Classifier(network or Net(), name="net", shape=(1, 3, 3), mean=None, std=None).eval()


def predictions(
    store: ArtifactStore, classifier: Classifier | None = None, data: ImageData | None = None, **keys: Any
) -> Predictions:
    classifier = classifier or wrap()
    options: dict[str, Any] = {
        "seed": 0,
        "count": N,
        "batch": 16,
        "precision": "float32",
        "report_progress": lambda *_: None,
        **keys,
    }
    return predict(classifier, options.pop("forward", classifier), data or toy(), artifacts=store, **options)


# the order


def test_the_order_is_a_permutation() -> None:
    found = order(toy(), 0)
    assert sorted(found.tolist()) == list(range(N))
    assert found.tolist() != list(range(N))


def test_the_order_is_of_seed_and_dataset_alone() -> None:
    first = order(toy(), 3).tolist()
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(9)
    assert order(toy(seed=5), 3).tolist() == first  # other pixels, another state of the global generators
    others = [order(toy(), 4), order(toy("other"), 3), order(toy(split="train"), 3), order(toy(), 2**63 - 1)]
    assert len({tuple(first), *(tuple(other.tolist()) for other in others)}) == 5
    assert order(toy(), 0)[:8].tolist() == KNOWN


KNOWN = np.random.default_rng([0, int.from_bytes(b"toy/test", "little")]).permutation(N)[:8].tolist()


# predictions


def test_predictions_are_the_networks(tmp_path: Path) -> None:
    data, classifier = toy(), wrap()
    with torch.no_grad():
        p = classifier(data.images(torch.arange(N))).double().softmax(1)
    found = predictions(ArtifactStore(tmp_path), classifier)
    assert found.indices.tolist() == order(data, 0).tolist()
    labels = data.labels[found.indices]
    np.testing.assert_allclose(found.confidence, p[found.indices, labels], rtol=1e-6)
    assert found.correct.tolist() == (p.argmax(1)[found.indices] == labels).tolist()
    assert found.accuracy == pytest.approx(float((p.argmax(1) == data.labels).double().mean()))
    assert 0 < found.accuracy < 1


@pytest.mark.parametrize("batch", [1, 7, 60, 1000])
def test_the_batch_size_changes_nothing(batch: int, tmp_path: Path) -> None:
    wanted = predictions(ArtifactStore(tmp_path / "a"))
    found = predictions(ArtifactStore(tmp_path / "b"), batch=batch)
    assert found.indices.tolist() == wanted.indices.tolist()
    assert found.correct.tolist() == wanted.correct.tolist()
    np.testing.assert_allclose(found.confidence, wanted.confidence, rtol=1e-5)


def test_fewer_images_are_the_first_of_the_order(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    every, some, more = (predictions(store, count=count) for count in (N, 11, 10_000))
    assert some.indices.tolist() == every.indices[:11].tolist()
    np.testing.assert_allclose(some.confidence, every.confidence[:11], rtol=1e-6)
    assert len(more.indices) == N


def test_predictions_are_made_once_and_again_when_anything_changes(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    asked: list[int] = []

    def made(classifier: Classifier | None = None, data: ImageData | None = None, **keys: Any) -> bool:
        network = classifier or wrap()
        asked.clear()

        def forward(x: Tensor) -> Tensor:
            asked.append(len(x))
            out: Tensor = network(x)
            return out

        predictions(store, network, data, forward=forward, **keys)
        return bool(asked)

    assert made()
    assert not made()
    assert not made(batch=5)
    changed = wrap()
    with torch.no_grad():
        changed.get_parameter("network.linear.weight")[0, 0] += 1e-4
    assert made(changed)
    assert made(data=toy(seed=1))
    assert made(seed=1)
    assert made(count=20)
    assert made(precision="bf16")
    assert made(wrap(Net(torch.neg)))  # the same weights in edited code
    assert made(wrap(Net(torch.tanh)))
    assert not made()


def test_what_is_not_finite_is_neither_correct_nor_confident(tmp_path: Path) -> None:
    def forward(x: Tensor) -> Tensor:
        logits: Tensor = wrap()(x)
        return torch.where(x.flatten(1)[:, :1] > 0.5, torch.nan, logits)

    found = predictions(ArtifactStore(tmp_path), forward=forward)
    bad = np.isnan(found.confidence)
    assert 0 < bad.sum() < N
    assert not found.correct[bad].any()
    chosen = select(found, samples=N, confidence=0.0, name="net")
    assert not set(chosen) & set(found.indices[bad].tolist())


def test_progress_may_interrupt_and_nothing_half_done_is_kept(tmp_path: Path) -> None:
    ticks: list[tuple[str, int, int]] = []
    predictions(ArtifactStore(tmp_path / "a"), report_progress=lambda *tick: ticks.append(tick))
    assert ticks == [("clean accuracy", done, N) for done in (16, 32, 48, 60)]

    def stop(*_: object) -> None:
        raise Interrupted(15)

    with pytest.raises(Interrupted):
        predictions(ArtifactStore(tmp_path / "b"), report_progress=stop)
    assert not list((tmp_path / "b").rglob("*.safetensors"))


# the choice


def seen() -> Predictions:
    return Predictions(
        np.array([7, 2, 9, 4, 1, 0]),
        np.array([True, True, False, True, True, True]),
        np.array([0.995, 0.5, 0.999, 0.99, 0.9999, 0.991]),
    )


def test_confident_and_correct_ones_in_order(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert select(seen(), samples=2, confidence=0.99, name="net") == [7, 1]
        assert select(seen(), samples=3, confidence=0.99, name="net") == [7, 1, 0]  # .99 itself is not more than .99
        assert not caplog.records
        assert select(seen(), samples=5, confidence=0.99, name="net") == [7, 1, 0]
    assert "only 3 of the 5 samples" in caplog.text
    assert "0.99 confidence" in caplog.text
    assert all(type(i) is int for i in select(seen(), samples=9, confidence=0.0, name="net"))


def test_none_qualifies() -> None:
    with pytest.raises(MeasurementError) as caught:
        select(seen(), samples=5, confidence=0.99995, name="mynet")
    text = str(caught.value)
    assert "of 6 images none is classified correctly by mynet with more than 0.99995 confidence" in text
    assert "the highest confidence of a correct one is 0.9999 " in text
    assert "probe.confidence=" in text
    wrong = Predictions(np.arange(3), np.zeros(3, bool), np.array([0.2, 0.31, np.nan]))
    with pytest.raises(MeasurementError, match=r"of a correct one is 0 \(of any image in its true class 0\.31\)"):
        select(wrong, samples=1, confidence=0.1, name="net")
    broken = Predictions(np.arange(2), np.zeros(2, bool), np.full(2, np.nan))
    with pytest.raises(MeasurementError, match="none is classified correctly"):
        select(broken, samples=1, confidence=0.1, name="net")
