"""The weights of RobustBench's networks, from the files that robustbench keeps, put into a network by robustbench's own loader."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from advlab.errors import ModelError, one_line
from advlab.models.checkpoints import hub_file, read_state
from advlab.models.robustbench_networks import Robustbench, part_of_robustbench
from advlab.models.seeded import seeded
from advlab.shell import shell_path

log = logging.getLogger(__name__)


def published_state(model: Robustbench, download: bool) -> tuple[dict[str, Tensor], str]:
    """The published weights with the network's names, and the files that they come from.

    Raises:
        ModelError: a file is missing and cannot be fetched, or is damaged.
    """
    import timm  # comes with robustbench

    folder = Path(model.folder or "models").expanduser()
    if timm.is_model(model.timm_name):
        files = [hub_file(timm.get_pretrained_cfg(model.timm_name).url, model.sha256, download)]
    else:
        names = weight_files(model, folder)
        fetch_missing(model, names, download)
        files = list(names)
    for path in files:  # what holds anything but tensors is refused here, before robustbench reads it
        read_state(path, model.sha256 if len(files) == 1 else "")
    return loaded_by_robustbench(model, folder), " ".join(map(str, files))


def weight_files(model: Robustbench, folder: Path) -> dict[Path, str]:
    """Where robustbench looks for the weights of a network -> Google Drive's name of them; several of an ensemble."""
    path = folder / model.benchmark / model.threat / f"{model.arch}.pt"
    drive = model.entry.get("gdrive_id")
    if not drive:
        raise ModelError(
            f"robustbench has no weights of {model.arch}: type model.weights=none or model.checkpoint=FILE"
        )
    if isinstance(drive, list):
        return {path.with_name(f"{path.name}_m{number}.pt"): name for number, name in enumerate(drive)}
    return {path: drive}


def fetch_missing(model: Robustbench, files: dict[Path, str], download: bool) -> None:
    """Fetch the files that are not there from Google Drive by gdown, as robustbench does.

    Raises:
        ModelError: not to be fetched, or it failed; the message says what to type.
    """
    absent = {path: name for path, name in files.items() if not path.is_file()}
    if not absent:
        return
    fault = "run.download=false"
    try:
        for path, name in absent.items() if download else ():
            log.info("fetching %s from Google Drive (%s)", path, name)
            fetch(path, name)
        if download:
            return
    except Exception as error:  # gdown and the network raise many classes
        fault = one_line(error)[:300]
    commands = [f"python -m gdown {name} -O {shell_path(path)}" for path, name in absent.items()]
    folder = next(iter(absent)).parent
    raise ModelError(
        f"the weights of robustbench's {model.arch} are missing and were not fetched ({fault}). Where there is a network: "
        f"{' && '.join([f'mkdir -p {shell_path(folder)}', *commands])}; the files belong into {folder.resolve()} "
        "(model.folder=FOLDER names another place than models/); or type model.checkpoint=FILE"
    )


def fetch(path: Path, name: str) -> None:
    """Download a file of Google Drive, whole or not at all."""
    import gdown  # comes with robustbench

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    try:
        if gdown.download(id=name, output=str(partial)) is None:
            raise OSError("gdown gave no file")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def loaded_by_robustbench(model: Robustbench, folder: Path) -> dict[str, Tensor]:
    """The tensors of the network that robustbench makes of its files.

    Raises:
        ModelError: they do not fit.
    """
    load_model = part_of_robustbench("utils").load_model
    try:
        with seeded(0):
            network = load_model(model.arch, model_dir=folder, dataset=model.benchmark, threat_model=model.threat)
    except Exception as error:  # robustbench's loader raises many classes
        raise ModelError(f"the weights do not fit robustbench's {model.arch}: {one_line(error)[:600]}") from error
    return {name: tensor.detach() for name, tensor in network.state_dict().items()}


def converted(model: Robustbench, content: dict[Any, Any]) -> dict[str, Tensor]:
    """The network's tensors from the content of one of robustbench's files.

    Raises:
        ModelError: they do not fit, or the network is made of several files.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = weight_files(model, Path(folder))
        if len(files) != 1:
            raise ModelError(f"robustbench's {model.arch} has {len(files)} files: type model.folder=FOLDER")
        (path,) = files
        path.parent.mkdir(parents=True)
        torch.save(content, path)
        return loaded_by_robustbench(model, Path(folder))
