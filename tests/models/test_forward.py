"""Forwards as a run makes them: precision, memory formats, halving when memory runs out, counting, and tuning.

Longer than other files: one object, whose precision, halving and batch size act together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.models import fastest_batch
from advlab.models.classifier import Classifier
from advlab.models.fastest_batch import device_name, measure, tune
from advlab.models.forward import Execution, Forward, out_of_memory, set_precision
from advlab.store.artifacts import ArtifactStore

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _strict() -> Iterator[None]:
    set_precision("float32")
    yield
    set_precision("float32")


def classifier() -> Classifier:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 6)
    )
    mean, std = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25)
    return Classifier(network, name="toy", shape=(3, 12, 12), mean=mean, std=std).eval()


def images(n: int) -> Tensor:
    return torch.rand((n, 3, 12, 12), generator=torch.Generator().manual_seed(n))


def forward(size: int = 16, memory_format: Any = "contiguous", precision: str = "float32") -> Forward:
    return Forward(classifier(), Execution(size, memory_format, precision))


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_precision_and_memory_format(precision: str, memory_format: Any) -> None:
    set_precision(precision)
    call, x = forward(16, memory_format, precision), images(9)
    with torch.inference_mode():
        logits = call(x)
        exact = classifier().double_copy()(x.double())
    assert logits.dtype == torch.float32
    error = float((logits.double() - exact).abs().max())
    if precision == "bf16":
        assert 1e-5 < error < 0.1  # it does compute in fewer bits
    else:
        assert error < 1e-5
    weight = call.classifier.get_parameter("network.0.weight")
    assert weight.is_contiguous(memory_format=call.execution.torch_format)
    assert x.is_contiguous()


def test_set_precision() -> None:
    set_precision("tf32")
    assert torch.get_float32_matmul_precision() == "high"
    assert torch.backends.cudnn.allow_tf32
    for precision in ("bf16", "float32"):
        set_precision(precision)
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cudnn.allow_tf32


def test_float64_of_the_same_weights() -> None:
    call, x = forward(4, "channels_last"), images(11)
    with torch.inference_mode():
        double = call.double(x)
        torch.testing.assert_close(double, classifier().double_copy()(x.double()), rtol=1e-12, atol=1e-12)
        assert torch.equal(double, call.double(x))
    assert double.dtype == torch.float64
    assert call.classifier.scale.dtype == torch.float32
    assert {p.dtype for p in call.classifier.parameters()} == {torch.float32}
    assert call.images == 22


def test_images_are_counted_once() -> None:
    call = forward()
    with torch.inference_mode():
        for n in (3, 16, 40):
            assert call(images(n)).shape == (n, 6)
    assert call.images == 59
    call.classifier_logits(images(5))
    assert call.images == 59


def limited(call: Forward, limit: int, error: type[BaseException] = torch.OutOfMemoryError) -> list[int]:
    """Make batches above `limit` images run out of memory; the sizes that are tried."""
    tried: list[int] = []
    network = call.classifier.network

    def refuse(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        tried.append(len(inputs[0]))
        if len(inputs[0]) > limit:
            raise error("CUDA out of memory. Tried to allocate 20.00 GiB")

    network.register_forward_pre_hook(refuse)
    return tried


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
@pytest.mark.parametrize(("n", "limit"), [(16, 8), (16, 5), (37, 6), (7, 1), (100, 99)])
def test_halving_gives_the_same_logits(n: int, limit: int, error: type[BaseException]) -> None:
    x = images(n)
    with torch.inference_mode():
        wanted = forward(n)(x)
        call = forward(n)
        tried = limited(call, limit, error)
        torch.testing.assert_close(call(x), wanted, rtol=1e-5, atol=1e-6)
        assert call.images == n
        assert call.limit <= limit
        assert call.halvings == [size for size in tried if size > limit]
        assert all(later == (size + 1) // 2 for size, later in itertools.pairwise([*call.halvings, call.limit]))
        tried.clear()
        torch.testing.assert_close(call(x), wanted, rtol=1e-5, atol=1e-6)
    assert max(tried) <= limit  # it has learnt
    assert call.images == 2 * n


def test_one_image_that_does_not_fit_is_an_error() -> None:
    call = forward()
    limited(call, 0)
    with pytest.raises(torch.OutOfMemoryError):
        call(images(8))
    assert call.images == 0


def test_other_errors_are_not_retried() -> None:
    call = forward()
    tried: list[int] = []

    def fail(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        tried.append(len(inputs[0]))
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    call.classifier.network.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        call(images(8))
    assert tried == [8]
    assert call.halvings == []


def test_what_counts_as_out_of_memory() -> None:
    allocator = "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
    for error in (
        torch.OutOfMemoryError("x"),
        MemoryError(),
        RuntimeError(allocator),
        RuntimeError("CUDA out of memory."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ):
        assert out_of_memory(error)
    for other in (RuntimeError("shape mismatch"), ValueError("out of memory"), KeyboardInterrupt()):
        assert not out_of_memory(other)


# tuning


def test_tuning_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastest_batch, "BUDGET", 0.3)
    store = ArtifactStore(tmp_path)
    execution = tune(classifier(), CPU, "float32", store)
    assert execution.batch_size in fastest_batch.SIZES
    assert execution.memory_format in ("contiguous", "channels_last")
    assert execution.precision == "float32"
    monkeypatch.setattr(fastest_batch, "measure", lambda *_: pytest.fail("it is remembered"))
    assert tune(classifier(), CPU, "float32", store) == execution
    changed = classifier()
    with torch.no_grad():
        changed.get_parameter("network.0.weight").add_(1)
    assert tune(changed, CPU, "float32", store) == execution  # other weights are as fast
    fixed = [{"batch_size": 7, "memory_format": "contiguous", "images_per_second": 1.0}]
    monkeypatch.setattr(fastest_batch, "measure", lambda *_: fixed)
    assert tune(classifier(), CPU, "bf16", store).batch_size == 7  # another precision is measured anew


def test_the_fastest_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def speed(call: Forward, *_: Any) -> float:
        size = call.execution.batch_size
        return (1000.0 - 2 * abs(size - 200)) * (2 if call.execution.memory_format == "channels_last" else 1)

    monkeypatch.setattr(fastest_batch, "throughput", speed)
    assert tune(classifier(), CPU, "float32", ArtifactStore(tmp_path)) == Execution(200, "channels_last", "float32")
    sizes = [entry["batch_size"] for entry in measure(classifier(), CPU, "float32", fastest_batch.SIZES)]
    assert sizes == [10, 25, 50, 100, 200, 300, 400] * 2  # it stops when larger batches no longer help


def test_a_slow_measurement_does_not_stop_it_and_the_largest_of_equals_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = {10: 500.0, 25: 800.0, 50: 1000.0, 100: 930.0, 200: 920.0, 300: 970.0, 400: 940.0, 800: 500.0, 1600: 400.0}
    monkeypatch.setattr(fastest_batch, "throughput", lambda call, *_: speeds[call.execution.batch_size])
    assert [entry["batch_size"] for entry in measure(classifier(), CPU, "float32", fastest_batch.SIZES)] == [
        *speeds
    ] * 2
    assert tune(classifier(), CPU, "float32", ArtifactStore(tmp_path)).batch_size == 300


def test_slow_small_batches_do_not_end_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = {10: 900.0, 25: 500.0, 50: 600.0, 100: 700.0, 200: 800.0, 300: 850.0, 400: 1100.0, 800: 1500.0}
    monkeypatch.setattr(fastest_batch, "throughput", lambda call, *_: speeds.get(call.execution.batch_size, 100.0))
    assert tune(classifier(), CPU, "float32", ArtifactStore(tmp_path)).batch_size == 800


def test_a_given_batch_size_is_kept(tmp_path: Path) -> None:
    assert tune(classifier(), CPU, "float32", ArtifactStore(tmp_path), batch_size=13).batch_size == 13


@pytest.mark.parametrize(("limit", "sizes"), [(60, [10, 25, 50]), (5, [])])
def test_tuning_stops_where_memory_ends(
    limit: int, sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def speed(call: Forward, *_: Any) -> float:
        if call.execution.batch_size > limit:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return float(call.execution.batch_size)

    monkeypatch.setattr(fastest_batch, "throughput", speed)
    assert [entry["batch_size"] for entry in measure(classifier(), CPU, "float32", fastest_batch.SIZES)] == sizes * 2
    assert tune(classifier(), CPU, "float32", ArtifactStore(tmp_path)).batch_size == (sizes or [10])[-1]


def test_tuning_changes_nothing_but_the_memory_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastest_batch, "BUDGET", 0.05)
    toy = classifier().train()
    digest = toy.digest()
    tune(toy, CPU, "float32", ArtifactStore(tmp_path))
    assert toy.digest() == digest
    assert toy.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in toy.parameters())


def test_a_dry_run_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastest_batch, "BUDGET", 0.01)
    assert tune(classifier(), CPU, "float32", ArtifactStore(tmp_path, writes=False)).batch_size >= 1
    assert not list(tmp_path.iterdir())


def test_device_names() -> None:
    assert device_name(CPU).startswith("cpu ")
    assert f"{torch.get_num_threads()} threads" in device_name(CPU)
