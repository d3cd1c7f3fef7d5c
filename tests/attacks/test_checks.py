"""What attacks refuse: each message names the fault and the remedy."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from advlab.attacks import FGS
from tests.helpers.fake_attack import Fake, X, Y, first_pixels, with_largest


def replaced(values: Tensor, index: Any, value: float) -> Tensor:
    values = values.clone()
    values[index] = value
    return values


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nan image": ({"inputs": replaced(X, (1, 0, 0, 0), torch.nan)}, r"inputs\[1\] has .* NaN or infinite \(1 images do\): leave"),
    "infinite image": ({"inputs": replaced(X, (2, 0, 0, 0), torch.inf)}, r"inputs\[2\] has values that are NaN or infinite"),
    "above the bounds": ({"inputs": X * 255}, r"outside bounds=\(0.0, 1.0\): say bounds=\(lowest, highest\), and normalise inside"),
    "below the bounds": ({"inputs": X - 1}, r"reach from -0.75 to -0.25, outside"),
    "bounds of another unit": ({"bounds": (0.3, 0.6)}, r"outside bounds=\(0.3, 0.6\)"),
    "bounds reversed": ({"bounds": (1.0, 0.0)}, r"bounds must be \(lowest, highest\)"),
    "bounds without end": ({"bounds": (-torch.inf, torch.inf)}, r"bounds must be \(lowest, highest\)"),
    "integer images": ({"inputs": (X * 255).to(torch.uint8), "bounds": (0, 255)}, r"float32 or float64 images .* got torch.uint8"),
    "half precision": ({"inputs": X.half()}, r"float32 or float64 images .* got torch.float16"),
    "one image without a batch": ({"inputs": X[0]}, r"shape \(N, C, H, W\), got torch.float32 of \(1, 2, 3\)"),
    "no tensor": ({"inputs": X.numpy()}, r"inputs must be a tensor, got ndarray"),
    "flat images": ({"inputs": X.flatten(1)}, r"shape \(N, C, H, W\)"),
    "too few labels": ({"labels": Y[:3]}, r"labels must be whole numbers of shape \(4,\), one an image, got .* \(3,\)"),
    "one-hot labels": ({"labels": torch.eye(3)[Y]}, r"labels must be whole numbers of shape \(4,\)"),
    "labels with a fraction": ({"labels": Y.float()}, r"labels must be whole numbers"),
    "labels as truth values": ({"labels": Y.bool()}, r"labels must be whole numbers"),
    "a list of labels": ({"labels": Y.tolist()}, r"labels must be a tensor, got list"),
    "label too large": ({"labels": replaced(Y, 1, 3)}, r"labels hold the class 3, the model has the classes 0 to 2"),
    "label below 0": ({"labels": replaced(Y, 1, -1)}, r"labels hold the class -1"),
    "target is the label": ({"targets": torch.tensor([1, 2, 2, 0])}, r"targets\[2\] is the label 2 itself: give another class"),
    "target too large": ({"targets": torch.tensor([1, 2, 7, 0])}, r"targets hold the class 7, the model has the classes 0 to 2"),
    "too few targets": ({"targets": torch.tensor([1])}, r"targets must be whole numbers of shape \(4,\)"),
    "unknown tensor": ({"held_out": X}, r"Fake takes no held_out=; it takes basis"),
    "negative batch": ({"batch_size": -1}, r"batch_size must be 0 \(256 images\) or more, got -1"),
    "probabilities": ({"model": lambda x: first_pixels(x).softmax(1)}, r"gives probabilities: .* take its final softmax away"),
    "one logit": ({"model": lambda x: first_pixels(x)[:, :1]}, r"must give logits of shape \(N, classes\), it gives \(4, 1\)"),
    "one number": ({"model": lambda x: first_pixels(x).sum()}, r"must give logits of shape \(N, classes\)"),
    "features": ({"model": lambda x: x}, r"must give logits of shape \(N, classes\), it gives \(4, 1, 2, 3\)"),
    "logits without a batch": ({"model": lambda x: first_pixels(x)[0]}, r"must give logits of shape"),
    "two outputs": ({"model": lambda x: (first_pixels(x), x)}, r"must give logits"),
}  # fmt: skip


@pytest.mark.parametrize("what", list(WRONG))
def test_bad_input_is_an_error_that_names_fault_and_remedy(what: str) -> None:
    changes, message = WRONG[what]
    call = {"model": first_pixels, "inputs": X, "labels": Y, **changes}
    fake = Fake()
    with pytest.raises(ValueError, match=message):
        fake(call.pop("model"), call.pop("inputs"), call.pop("labels"), **call)
    assert not fake.seen


def test_an_unknown_keyword_is_named_before_its_type() -> None:
    x = with_largest(0, 1)
    with pytest.raises(ValueError, match=r"FGS takes no epsilon="):
        FGS()(first_pixels, x, torch.tensor([0, 1]), epsilon=0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize("bounds", [None, 1.0, (0.0, 1.0, 2.0)])
def test_bounds_that_are_no_pair_are_refused(bounds: object) -> None:
    with pytest.raises(ValueError, match=r"bounds must be \(lowest, highest\)"):
        FGS()(first_pixels, with_largest(0), torch.tensor([0]), bounds=bounds)  # type: ignore[arg-type]


def test_a_model_without_gradients_is_refused() -> None:
    with pytest.raises(ValueError, match="differentiable"):
        FGS()(torch.no_grad()(first_pixels), with_largest(0), torch.tensor([0]))
