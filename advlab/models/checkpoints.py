"""Weights from files: safetensors or weights_only pickles, hashes checked, misfits named tensor by tensor."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from advlab.errors import ModelError
from advlab.models import only_tensors
from advlab.models.base import existing_file
from advlab.models.checkpoint_content import listed_keys, misfits, state_dicts
from advlab.models.only_tensors import UNKNOWN, reason
from advlab.models.torchvision_networks import Torchvision
from advlab.shell import shell_path, typed_override
from advlab.store.sealed import sha256_file


def read_state(path: Path, sha256: str = "") -> dict[Any, Any]:
    """The content of a file of weights, which holds a state dict somewhere.

    Args:
        path: `*.safetensors`, or what torch.save wrote of a state dict, also inside other mappings.
        sha256: checked when given.

    Raises:
        ModelError: the file is missing, has another digest, is damaged, or holds classes that are not loaded.
    """
    existing_file(path)
    if sha256:
        digest = sha256_file(path)
        if digest != sha256.lower():
            raise ModelError(
                f"{path} has the SHA-256 {digest}, not {sha256.lower()}: it is not the file that was meant"
            )
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise many classes for a damaged file
        raise ModelError(unread(path, error)) from error
    if not isinstance(content, dict) or next(state_dicts(content), None) is None:
        raise ModelError(
            f"{path} holds no state dict: save one by torch.save(network.state_dict(), ...).{listed_keys(content)}"
        )
    return content


def unread(path: Path, error: Exception) -> str:
    """What is wrong with a file that was not read, and what to type where it holds other classes beside its weights."""
    wanted = "it must be a safetensors file or what torch.save(network.state_dict(), ...) wrote"
    name = str(error).partition(UNKNOWN)[2].partition(" was not")[0]
    if not name:
        return (
            f"{path} could not be read as weights ({reason(path, error)}): {wanted}; files that hold more than tensors are "
            "not loaded"
        )
    on_path = os.path.realpath(shutil.which("python") or "") == os.path.realpath(sys.executable)
    python = "python" if on_path else shell_path(sys.executable)
    load = typed_override("model.checkpoint", str(only_tensors.output_path(path)))
    return (
        f"{path} holds {name}, and files that hold more than tensors are not loaded. A file of its tensors alone, made "
        f"without running anything of it: {python} -m {only_tensors.__name__} {shell_path(path)}; then type {load} instead (else "
        f"{wanted})"
    )


def load_state(network: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Put all tensors of `state` into `network`; of tied tensors one name is enough.

    Raises:
        ModelError: tensors are missing, unknown, of another shape or hold NaN or infinity; each kind is named.
    """
    faults = misfits(network.state_dict(), state)
    if faults:
        raise ModelError(
            f"{origin} does not fit the network: {'; '.join(faults)}. Is it of another architecture or size?"
        )
    not_finite = sorted(name for name, tensor in state.items() if not tensor.isfinite().all())
    if not_finite:
        raise ModelError(f"{origin} is of no use: NaN or infinity in {', '.join(not_finite[:6])}")
    network.load_state_dict(dict(state), strict=False)


def published_state(model: Torchvision, download: bool) -> tuple[dict[Any, Any], str]:
    """Content and file name of torchvision's published weights, from torch.hub's folder or the network.

    Raises:
        ModelError: see `hub_file`.
    """
    file = hub_file(model.entry().url, model.sha256, download)
    return read_state(file, model.sha256), file.name


def hub_file(url: str, sha256: str, download: bool) -> Path:
    """The file of an address in torch.hub's folder, fetched to there if need be.

    The first digits of the SHA-256, which the file's name carries, are checked whether it was downloaded now or lay
    there; `sha256`, of the whole file, replaces them.

    Raises:
        ModelError: the file is missing and cannot be fetched, or its digest is wrong.
    """
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]
    if not file.is_file():
        if not download:
            raise ModelError(f"{file} is missing and run.download=false: put the file from {url} there")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(file), progress=True)
        except Exception as error:  # urllib and the file system raise many classes
            raise ModelError(
                f"{url} could not be downloaded ({error}): fetch it elsewhere and put it at {file}"
            ) from error
    prefix = re.search(r"-([0-9a-f]{8,})\.[a-z]+$", file.name)
    digest = sha256_file(file)
    if prefix and not sha256 and not digest.startswith(prefix[1]):
        raise ModelError(
            f"{file} is not the published file: its SHA-256 {digest} does not begin with {prefix[1]}. Remove it to download it "
            f"again; if it is your own, say so by model.sha256={digest}"
        )
    return file
