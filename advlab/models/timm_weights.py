"""timm's pretrained weights, from where timm itself keeps them: the cache of huggingface_hub, or that of torch.hub."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from torch import Tensor

from advlab.errors import ModelError, one_line
from advlab.models.checkpoint_content import state_dicts
from advlab.models.checkpoints import hub_file, read_state
from advlab.models.seeded import seeded
from advlab.models.timm_networks import Timm
from advlab.store.sealed import sha256_file

log = logging.getLogger(__name__)

FILES = ("model.safetensors", "pytorch_model.bin")  # of a repository of Hugging Face's hub, as timm looks for them


def published_state(model: Timm, download: bool) -> tuple[dict[str, Tensor], str]:
    """The pretrained weights with the network's names, and the file that they come from.

    Raises:
        ModelError: the file is missing and cannot be fetched, or is damaged.
    """
    published = model.configuration
    if published.hf_hub_id:
        path, origin = repository_file(model, download)
    elif published.url:
        path = hub_file(published.url, model.sha256, download)
        origin = path.name
    else:
        raise ModelError(f"timm has no weights of {model.variant}: type model.weights=none")
    return converted(model, read_state(path, model.sha256)), origin


def repository_file(model: Timm, download: bool) -> tuple[Path, str]:
    """The file of weights in huggingface_hub's cache, fetched to there if need be, and what it is called.

    A file that the cache names by its SHA-256 is checked.

    Raises:
        ModelError: it is missing and cannot be fetched, or has another digest.
    """
    import huggingface_hub as hub  # comes with timm alone

    repository, _, revision = model.configuration.hf_hub_id.partition("@")
    own = model.configuration.hf_hub_filename
    names = [own.replace("pytorch_model.bin", "model.safetensors"), own] if own else FILES
    for name in dict.fromkeys(names):
        cached = hub.try_to_load_from_cache(repository, name, revision=revision or None)
        if isinstance(cached, str):
            check_blob(Path(cached), model.sha256)
            return Path(cached), f"{repository}/{name}"
    fault = "run.download=false"
    for name in dict.fromkeys(names) if download else ():
        log.info("fetching %s of %s to %s", name, repository, hub.constants.HF_HUB_CACHE)
        try:
            path = Path(hub.hf_hub_download(repository, name, revision=revision or None))
        except hub.errors.EntryNotFoundError as error:
            fault = one_line(error)
            if isinstance(error, hub.errors.LocalEntryNotFoundError):  # there is no network
                break
        except Exception as error:  # the hub and the network raise many classes
            fault = one_line(error)
            break
        else:
            check_blob(path, model.sha256)
            return path, f"{repository}/{name}"
    raise ModelError(
        f"the weights of timm's {model.variant} are not in {hub.constants.HF_HUB_CACHE}, and were not fetched ({fault}). "
        f'Where there is a network: python -c "import timm; timm.create_model({model.variant!r}, pretrained=True)" fetches them '
        f"to that folder; or fetch {hub.hf_hub_url(repository, names[0], revision=revision or None)} and type "
        "model.checkpoint=FILE; or model.weights=none, which a recipe trains"
    )


def check_blob(path: Path, sha256: str) -> None:
    """Compare a file with the digest that huggingface_hub's cache calls it by; `model.sha256` replaces that.

    Raises:
        ModelError: it is another file.
    """
    name = path.resolve().name
    if sha256 or not re.fullmatch("[0-9a-f]{64}", name):
        return
    digest = sha256_file(path)
    if digest != name:
        raise ModelError(
            f"{path} is not the published file: its SHA-256 is {digest}, not {name}. Remove it to fetch it again; if it is your "
            f"own, say so by model.sha256={digest}"
        )


def converted(model: Timm, content: dict[Any, Any]) -> dict[str, Tensor]:
    """The tensors of a published file with the names that timm's network has, by timm's own conversion.

    Raises:
        ModelError: they are another network's.
    """
    state = next(state for _, state in state_dicts(content))
    try:
        with seeded(0):
            network = model.network(pretrained=True, pretrained_cfg_overlay={"state_dict": state})
    except Exception as error:  # timm's conversions raise many classes
        raise ModelError(f"the weights do not fit timm's {model.variant}: {one_line(error)[:600]}") from error
    return {name: tensor.detach() for name, tensor in network.state_dict().items()}
