"""Networks and images of a session as choices: what `advlab.run(model=module, dataset=(x, y))` is handed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from advlab.config import components
from advlab.config.folder import config_folder
from advlab.errors import ConfigError
from advlab.plugins.dataset import dataset as register_dataset
from advlab.plugins.model import model as register_model

Shape = tuple[int, int, int]
Split = tuple[Any, Any, Any]  # images, labels, class names

SPLITS = ("train", "test")


def model_choice(network: Any, input_shape: Shape, classes: int, called: str = "") -> dict[str, str]:
    """Make a module of the session a choice of `model=`, in the place of one of its name before; gives its keys.

    Args:
        network: a `torch.nn.Module`, from images in [0, 1] to logits; it is measured as it is.
        input_shape: (C, H, W).
        classes: of the data.
        called: its name in labels and paths; otherwise that of its class.
    """
    name = free_name("model", called or type(network).__name__.lower())

    def build(content: str = "") -> Any:
        """A network of the session, told apart by its layers and weights."""
        return network

    components.REGISTRIES["model"].forget(name)
    register_model(name, input_shape=lambda content="": input_shape, classes=classes)(build)
    return {"name": name, "content": network_content(network)}


def network_content(network: Any) -> str:
    """What tells the layers and weights of a module from others'."""
    from advlab.data.images import tensor_digest  # loads torch, as the module has

    summed = hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", str(network)).encode())
    for key, value in sorted(network.state_dict().items()):
        made = hasattr(value, "detach") and not type(value).__name__.startswith("Uninitialized")
        summed.update(f"{key} {tensor_digest(value) if made else ''}".encode())
    return summed.hexdigest()[:16]


def dataset_choice(data: Any, called: str = "") -> tuple[dict[str, str], Shape, int]:
    """Make images of the session a choice of `dataset=`; gives its keys, the shape of an image and the number of classes.

    Args:
        data: (images, labels), (images, labels, class names), a torch `Dataset` of (image, label), or a mapping of those by
            split (`train`, `test`); one alone serves as both.
        called: its name in labels and paths; otherwise that of its class, or `arrays`.

    Raises:
        ConfigError: it is none of these.
    """
    parts = by_split(data)
    splits = {split: arrays_of(part) for split, part in parts.items()}
    name = free_name("dataset", called or class_name(parts["test"]))
    content = digest(splits)

    def load(split: str, content: str = "") -> Split:
        """Arrays of the session, told apart by their content."""
        return splits[split]

    components.REGISTRIES["dataset"].forget(name)
    register_dataset(name)(load)
    for split, (images, labels, _) in splits.items():
        check_shapes(split, images, labels)
    images, _, names = splits["test"]
    channels_first = images.ndim == 4 and images.shape[1] in (1, 3)
    height, width = images.shape[2:] if channels_first else images.shape[1:3]
    channels = images.shape[1] if channels_first else images.shape[3] if images.ndim == 4 else 1
    return {"name": name, "content": content}, (int(channels), int(height), int(width)), len(names)


def check_shapes(split: str, images: Any, labels: Any) -> None:
    """Refuse what is no stack of images beside a label for each.

    Raises:
        ConfigError: they are swapped, or of other shapes.
    """
    if images.ndim in (3, 4) and labels.ndim == 1:
        return
    said = f"got {images.shape} and {labels.shape} for {split}"
    if images.ndim == 1 and labels.ndim in (3, 4):
        raise ConfigError(f"dataset: images and labels are swapped ({said}): give (images, labels)")
    raise ConfigError(
        f"dataset: expected images (N, H, W), (N, H, W, C) or (N, C, H, W) and labels (N,), {said}: change their shapes"
    )


def by_split(data: Any) -> dict[str, Any]:
    """Split -> what was given for it.

    Raises:
        ConfigError: a mapping with other keys.
    """
    if not isinstance(data, Mapping):
        return dict.fromkeys(SPLITS, data)
    if not data or not set(data) <= set(SPLITS):
        raise ConfigError(
            f"dataset: a mapping must have the keys {' and '.join(SPLITS)}, got {', '.join(map(str, data))}"
        )
    return {split: data.get(split, next(iter(data.values()))) for split in SPLITS}


def arrays_of(part: Any) -> Split:
    """Images, labels and class names as arrays.

    Raises:
        ConfigError: it is neither a pair of arrays nor a dataset of pairs.
    """
    import numpy as np

    if isinstance(part, tuple | list) and len(part) in (2, 3) and all(hasattr(of, "shape") for of in part[:2]):
        images, labels = as_array(part[0]), as_array(part[1])
        names = part[2] if len(part) == 3 else None
    elif hasattr(part, "__getitem__") and hasattr(part, "__len__") and not isinstance(part, str):
        try:
            pairs = [part[index] for index in range(len(part))]
            images = np.stack([as_array(image) for image, _ in pairs])
            labels = np.asarray([int(label) for _, label in pairs])
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise ConfigError(
                f"dataset: an entry must be a pair (image, label) of equal shapes ({error}): transform images to tensors first"
            ) from error
        names = getattr(part, "classes", None)
    else:
        raise ConfigError(
            f"dataset: expected a name, (images, labels) or a torch Dataset of (image, label), got {type(part).__name__}"
        )
    if names is None:
        names = [f"class {number}" for number in range(int(labels.max()) + 1 if labels.size else 0)]
    return images, labels, list(names)


def as_array(value: Any) -> Any:
    """A tensor, an image or a list as an array, on the CPU."""
    import numpy as np

    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def digest(splits: Mapping[str, Split]) -> str:
    """What tells the content of images, labels and names from others'."""
    summed = hashlib.sha256()
    for split in SPLITS:
        images, labels, names = splits[split]
        for array in (images, labels):
            summed.update(f"{split} {array.dtype} {array.shape} ".encode())
            summed.update(memoryview(array.copy(order="C")).cast("B"))
        summed.update("\0".join(map(str, names)).encode())
    return summed.hexdigest()[:16]


def class_name(data: Any) -> str:
    """The name of the user's own class of datasets; `arrays` for arrays, and for the classes of torch that hold some."""
    kind = type(data)
    of_its_own = kind.__module__.split(".")[0] not in ("builtins", "torch")
    return kind.__name__.lower() if of_its_own else "arrays"


def free_name(group: str, called: str) -> str:
    """A name that can be typed, and that no packaged choice has.

    >>> free_name("model", "lenet"), free_name("model", "LeNet, wide"), free_name("model", "sequential")
    ('my_lenet', 'LeNet_wide', 'sequential')
    """
    name = re.sub(r"[^\w-]+", "_", called, flags=re.ASCII).strip("_-") or group
    taken = (config_folder() / group / f"{name}.yaml").is_file() or name in ("none", "null")
    return f"my_{name}" if taken else name


def is_module(value: Any) -> bool:
    """Whether a value is a network, without loading torch for one that is not."""
    return any(kind.__module__.startswith("torch.nn.") and kind.__name__ == "Module" for kind in type(value).__mro__)


def is_named(value: Any) -> bool:
    """Whether a value names a choice, or sets keys of one."""
    return isinstance(value, str) or (
        isinstance(value, Mapping) and not set(value) <= set(SPLITS) and not isinstance(value, Sequence)
    )


def is_state(value: Any) -> bool:
    """Whether a value is a mapping of tensors, as `state_dict` gives it."""
    return isinstance(value, Mapping) and bool(value) and all(hasattr(part, "detach") for part in value.values())
