"""What the pretended device allows and refuses; on a machine with CUDA the same tests ask the real one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.helpers.pretended_cuda import pretended_cuda
from tests.helpers.pretended_tensors import PretendedTensor

TWO_DEVICES = (
    "same device|must be on the CPU|same cuda device|indices should be either on cpu|must have same device|both be on"
    "|different device|weight type .* should be the same"
)


def both(device: torch.device, *shape: int) -> tuple[Tensor, Tensor]:
    """Equal tensors on the CPU and on the device."""
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return x, x.to(device)


def test_where_tensors_are(cuda: torch.device) -> None:
    here, there = both(cuda, 2, 3)
    assert there.device == torch.device("cuda", 0)
    assert (there.is_cuda, here.is_cuda, there.is_cpu) == (True, False, False)
    assert torch.equal(there.cpu(), here)
    on_device = [
        there.to(torch.float64), there[0], there.T, there.sum(), there.clone(), there.detach(), there.data, there.max(1)[1],
        there.new_zeros(2), torch.zeros_like(here, device=cuda), torch.ones(2, device=cuda), torch.tensor([1], device="cuda"),
        torch.as_tensor(there), here.to(there), here.cuda(), here.to(0), torch.rand_like(there), torch.tensor(3.0) * there,
        torch.topk(there, 2).values, there.split(1)[0], torch.stack([there, there]), F.softmax(there, 1),
        torch.where(there > 0.5, there, 0.0), there.type_as(there), torch.normal(0.0, 1.0, (2,), device=cuda),
        torch.fft.fftfreq(4, device=cuda), torch.blackman_window(4, device="cuda"), next(iter(there)), there.new_zeros(2)[0],
    ]  # fmt: skip
    assert [x.device.type for x in on_device] == ["cuda"] * len(on_device)
    on_host = [
        torch.zeros(2), there.cpu(), there.to("cpu"), here.type_as(here), torch.tensor([there.sum(), there.sum()]),
        torch.full((2,), float(there[0, 0])), torch.from_numpy(np.zeros(2)), there.new_zeros(2, device="cpu"),
        torch.empty_like(there, device="cpu"), here[torch.tensor(1, device=cuda)], torch.zeros(2).fill_(there.sum()),
    ]  # fmt: skip
    assert [x.device.type for x in on_host] == ["cpu"] * len(on_host)


def test_a_copy_on_the_other_device_shares_nothing(cuda: torch.device) -> None:
    here, there = both(cuda, 4)
    there.zero_()
    assert here.max() > 0
    back = there.cpu()
    back += 1
    assert there.max().item() == 0
    assert there.to(cuda) is there
    assert here.cpu() is here


REFUSED: dict[str, Callable[[Tensor, Tensor], object]] = {
    "sum": lambda here, there: here + there,
    "in place": lambda here, there: there.add_(here),
    "into the host": lambda here, there: here.add_(there),
    "comparison": lambda here, there: here == there,
    "equal": lambda here, there: torch.equal(here, there),
    "product": lambda here, there: here @ there.T,
    "cat": lambda here, there: torch.cat([here, there]),
    "stack of numbers": lambda here, there: torch.stack([here.sum(), there.sum()]),
    "a number of the device": lambda here, there: here * there.sum(),
    "where": lambda here, there: torch.where(there > 0, here, there),
    "gather": lambda here, there: there.gather(1, torch.zeros((4, 1), dtype=torch.int64)),
    "index of the device, table of the host": lambda here, there: here[torch.tensor([0, 1], device=there.device)],
    "rows written by index": lambda here, there: there.__setitem__(torch.tensor([0, 1]), here[:2]),
    "rows written by index into the host": lambda here, there: here.__setitem__(torch.tensor([0, 1]), there[:2]),
    "sum into a number of the host": lambda here, there: here.sum().add_(there.sum()),
    "result into the host": lambda here, there: torch.mul(there, there, out=torch.empty(4, 4)),
    "column stack of numbers": lambda here, there: torch.column_stack([there.sum(), here.sum()]),
    "mask of the device": lambda here, there: here[there[:, 0] > 0.5],
    "linear": lambda here, there: F.linear(there, here),
    "convolution": lambda here, there: F.conv1d(there[None], here[:, :, None]),
    "loss": lambda here, there: F.cross_entropy(there, torch.zeros(4, dtype=torch.int64)),
    "batch norm": lambda here, there: F.batch_norm(there, here[0], here[1]),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_two_devices_do_not_meet(call: Callable[[Tensor, Tensor], object], cuda: torch.device) -> None:
    with pytest.raises(RuntimeError, match=TWO_DEVICES):
        call(*both(cuda, 4, 4))


ALLOWED: dict[str, Callable[[Tensor, Tensor], object]] = {
    "a number of the host": lambda here, there: there + here.sum(),
    "index of the host": lambda here, there: there[torch.tensor([0, 1])],
    "mask of the host": lambda here, there: there[here[:, 0] > 0.5],
    "a slice is written": lambda here, there: there.__setitem__(slice(0, 2), here[:2]),
    "a number is written by index": lambda here, there: there.__setitem__(torch.tensor([0, 1]), 2.0),
    "a slice of the host is written": lambda here, there: here.__setitem__(slice(0, 2), there[:2]),
    "a number of the host is written": lambda here, there: here.__setitem__((0, 0), there.sum()),
    "copy": lambda here, there: (there.copy_(here), here.copy_(there)),
    "numbers are read": lambda here, there: (
        float(there[0, 0]),
        int(there[0, 0]),
        bool(there[0, 0] > 0),
        there.tolist(),
    ),
}


@pytest.mark.parametrize("call", ALLOWED.values(), ids=ALLOWED)
def test_what_a_device_allows(call: Callable[[Tensor, Tensor], object], cuda: torch.device) -> None:
    call(*both(cuda, 4, 4))


def test_a_number_divides_by_its_reciprocal_and_a_tensor_of_the_device_divides(cuda: torch.device) -> None:
    levels = torch.arange(256.0)
    there = levels.to(cuda)
    reciprocal = levels * (torch.ones(()) / 255)
    assert not torch.equal(reciprocal, levels / 255)
    for quotient in (there / 255, there.clone().div_(255), torch.div(there, 255.0), there / torch.tensor(255.0)):
        assert torch.equal(quotient.cpu(), reciprocal)
    for quotient in (there / there.new_full((), 255), there.clone().div_(there.new_full((), 255))):
        assert torch.equal(quotient.cpu(), levels / 255)
    assert torch.equal(torch.div(there, 7, rounding_mode="floor").cpu(), levels // 7)


def test_integers_have_no_matrix_product(cuda: torch.device) -> None:
    here = torch.ones((2, 2), dtype=torch.int64)
    there = here.to(cuda)
    assert torch.equal((there * there).cpu(), here)
    for call in (lambda: there @ there, lambda: torch.mm(there, there), lambda: F.linear(there, there)):
        with pytest.raises(RuntimeError, match="not implemented for"):
            call()


def test_numpy_needs_the_host(cuda: torch.device) -> None:
    _, there = both(cuda, 3)
    for call in (lambda: there.numpy(), lambda: np.asarray(there), lambda: np.stack([there, there])):
        with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
            call()
    assert there.cpu().numpy().shape == there.numpy(force=True).shape == (3,)


def test_generators_belong_to_a_device(cuda: torch.device) -> None:
    here, there = torch.Generator().manual_seed(1), torch.Generator(device=cuda).manual_seed(1)
    assert (here.device.type, there.device.type) == ("cpu", "cuda")
    x = torch.zeros(3, device=cuda)
    for call in (
        lambda: torch.rand(3, generator=here, device=cuda),
        lambda: torch.rand(3, generator=there),
        lambda: torch.randperm(3, generator=there),
        lambda: x.uniform_(generator=here),
        lambda: torch.zeros(3).normal_(generator=there),
    ):
        with pytest.raises(RuntimeError, match="generator"):
            call()
    assert torch.equal(torch.rand(3, generator=there, device=cuda), x.uniform_(generator=there.manual_seed(1)))


def test_modules_gradients_and_optimisers(cuda: torch.device) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    x = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    wanted = network(x).detach()
    network.load_state_dict(network.state_dict())
    network.eval().to(cuda)
    with pytest.raises(RuntimeError):
        network(x)
    assert {parameter.device.type for parameter in [*network.parameters(), *network.buffers()]} == {"cuda"}
    leaf = x.to(cuda).requires_grad_()
    (gradient,) = torch.autograd.grad(network(leaf).sum(), leaf)
    assert gradient.device.type == "cuda"
    optimizer = torch.optim.Adam(network.train().parameters(), lr=0.1, fused=True)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(network(leaf), torch.zeros(3, dtype=torch.int64, device=cuda)).backward()
        optimizer.step()
    assert all(not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))
    assert torch.allclose(network.cpu()(x), wanted) is False
    with torch.autocast("cuda", torch.bfloat16):
        assert torch.is_autocast_enabled("cuda")
        assert F.linear(x.to(cuda).flatten(1), torch.ones(2, 16, device=cuda)).dtype == torch.bfloat16
    assert not torch.is_autocast_enabled("cuda")
    with torch.autocast("cuda"):
        assert torch.get_autocast_dtype("cuda") == torch.float16


def test_a_result_that_does_not_fit() -> None:
    with pretended_cuda(memory=4000):
        x = torch.zeros(1000, device="cuda")
        x.expand(50, 1000)  # a view takes no memory
        with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
            torch.cat([x, x])
        torch.zeros(5000)
        assert torch.cuda.max_memory_allocated() == 4000


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_nothing_is_left_behind() -> None:
    patched = (torch.Generator, torch.autocast, torch.cuda.is_available, torch.is_autocast_enabled)
    with pretended_cuda():
        assert torch.cuda.is_available()
        assert isinstance(torch.zeros(1).cuda(), PretendedTensor)
    assert (torch.Generator, torch.autocast, torch.cuda.is_available, torch.is_autocast_enabled) == patched
    assert not torch.cuda.is_available()
    with pytest.raises((RuntimeError, AssertionError)):
        torch.zeros(1).cuda()
