"""Weights from files: safetensors or weights_only pickles, hashes checked, misfits named tensor by tensor."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from advlab.errors import ModelError
from advlab.models.torchvision_networks import Torchvision
from advlab.store.sealed import sha256_file

State = dict[str, Tensor]


def read_state(path: Path, sha256: str = "") -> State:
    """The tensors in a file of weights.

    Args:
        path: `*.safetensors`, or what torch.save wrote of a state dict (also inside `state_dict` or `model`).
        sha256: checked when given.

    Raises:
        ModelError: the file is missing, has another digest, is damaged, or holds more than tensors.
    """
    if not os.path.isfile(path):
        raise ModelError(f"{path} does not exist: model.checkpoint must name a file of weights")
    if sha256:
        digest = sha256_file(path)
        if digest != sha256.lower():
            raise ModelError(
                f"{path} has the SHA-256 {digest}, not {sha256.lower()}: it is not the file that was meant"
            )
    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise many classes for a damaged file
        raise ModelError(
            f"{path} could not be read as weights ({reason(error)}): it must be a safetensors file or what "
            "torch.save(network.state_dict(), ...) wrote; files that hold more than tensors are not loaded"
        ) from error
    for wrapper in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise ModelError(f"{path} holds no state dict: save one by torch.save(network.state_dict(), ...)")
    return {str(name): tensor for name, tensor in state.items()}


def reason(error: Exception) -> str:
    """Why a file was not read, in one line; torch's own first line recommends unsafe loading."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line.removeprefix("WeightsUnpickler error: ") for line in lines if "WeightsUnpickler error" in line]
    return next(iter(telling + lines), type(error).__name__).split(". Please use")[0]


def unwrapped(state: Mapping[str, Tensor], network_names: Collection[str]) -> Mapping[str, Tensor]:
    """`state` without the prefix that DataParallel and torch.compile put before all names, unless the network has it."""
    for prefix in ("module.", "_orig_mod.", "module."):
        if all(name.startswith(prefix) for name in state) and not any(
            name.startswith(prefix) for name in network_names
        ):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def load_state(network: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Put all tensors of `state` into `network`; of tied tensors one name is enough.

    Raises:
        ModelError: tensors are missing, unknown, of another shape or hold NaN or infinity; each kind is named.
    """
    current = network.state_dict()
    state = unwrapped(state, current)
    misfits = _misfits(current, state)
    if misfits:
        raise ModelError(
            f"{origin} does not fit the network: {'; '.join(misfits)}. Is it of another architecture or size?"
        )
    not_finite = sorted(name for name, tensor in state.items() if not tensor.isfinite().all())
    if not_finite:
        raise ModelError(f"{origin} is of no use: NaN or infinity in {', '.join(not_finite[:6])}")
    network.load_state_dict(dict(state), strict=False)


def _misfits(current: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """Which tensors of `state` are missing, unknown or of another shape than in the `current` state of the network."""
    common = sorted(current.keys() & state.keys())
    tied = {current[name].data_ptr() for name in common}  # a tied tensor lies at the same address under all its names
    optional = {name for name in current if name.endswith("num_batches_tracked") or current[name].data_ptr() in tied}
    missing = sorted(current.keys() - state.keys() - optional)
    unknown = sorted(state.keys() - current.keys())
    misshapen = [
        f"{name} is {tuple(state[name].shape)}, not {tuple(current[name].shape)}"
        for name in common
        if state[name].shape != current[name].shape
    ]
    return [
        f"{text}: {', '.join(names[:6])}{f' and {len(names) - 6} more' if len(names) > 6 else ''}"
        for text, names in (("missing", missing), ("unknown", unknown), ("of another shape", misshapen))
        if names
    ]


def published_state(model: Torchvision, download: bool) -> tuple[State, str]:
    """State dict and file name of torchvision's published weights, from torch.hub's folder or the network.

    The first digits of the SHA-256, which the file's name carries, are checked whether it was downloaded now or lay
    there; `model.sha256` replaces them.

    Raises:
        ModelError: the file is missing and cannot be fetched, or its digest is wrong.
    """
    entry = model.entry()
    file = Path(torch.hub.get_dir()) / "checkpoints" / entry.url.rsplit("/", 1)[1]
    if not file.is_file():
        if not download:
            raise ModelError(f"{file} is missing and run.download=false: put the file from {entry.url} there")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(entry.url, str(file), progress=True)
        except Exception as error:  # urllib and the file system raise many classes
            raise ModelError(
                f"{entry.url} could not be downloaded ({error}): fetch it elsewhere and put it at {file}"
            ) from error
    prefix = file.stem.rpartition("-")[2]
    digest = sha256_file(file)
    if not model.sha256 and not digest.startswith(prefix):
        raise ModelError(
            f"{file} is not the published file: its SHA-256 {digest} does not begin with {prefix}. Remove it to download it "
            f"again; if it is your own, say so by model.sha256={digest}"
        )
    return read_state(file, model.sha256), file.name
