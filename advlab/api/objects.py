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


def model_choice(network: Any, input_shape: Shape, classes: int) -> str:
    """Make a module of the session a choice of `model=`, in the place of one of its name before; gives its name.

    Args:
        network: a `torch.nn.Module`, from images in [0, 1] to logits; it is measured as it is.
        input_shape: (C, H, W).
        classes: of the data.
    """
    name = free_name("model", type(network).__name__)

    def build() -> Any:
        """A network of the session."""
        return network

    components.REGISTRIES["model"].forget(name)
    register_model(name, input_shape=input_shape, classes=classes)(build)
    return name


def dataset_choice(data: Any) -> tuple[dict[str, str], Shape, int]:
    """Make images of the session a choice of `dataset=`; gives its keys, the shape of an image and the number of classes.

    Args:
        data: (images, labels), (images, labels, class names), a torch `Dataset` of (image, label), or a mapping of those by
            split (`train`, `test`); one alone serves as both.

    Raises:
        ConfigError: it is none of these.
    """
    splits = {split: arrays_of(part) for split, part in by_split(data).items()}
    name = "arrays"
    content = digest(splits)

    def load(split: str, content: str = "") -> Split:
        """Arrays of the session, told apart by their content."""
        return splits[split]

    components.REGISTRIES["dataset"].forget(name)
    register_dataset(name)(load)
    images, _, names = splits["test"]
    channels_first = images.ndim == 4 and images.shape[1] in (1, 3)
    height, width = images.shape[2:] if channels_first else images.shape[1:3]
    channels = images.shape[1] if channels_first else images.shape[3] if images.ndim == 4 else 1
    return {"name": name, "content": content}, (int(channels), int(height), int(width)), len(names)


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


def free_name(group: str, class_name: str) -> str:
    """A name for what has a class, which no packaged choice has.

    >>> free_name("model", "LeNet"), free_name("model", "My Net"), free_name("model", "Sequential")
    ('my_lenet', 'my_net', 'sequential')
    """
    name = re.sub(r"\W+", "_", class_name).strip("_").lower() or group
    return f"my_{name}" if (config_folder() / group / f"{name}.yaml").is_file() else name


def is_module(value: Any) -> bool:
    """Whether a value is a network, without loading torch for one that is not."""
    return any(kind.__module__.startswith("torch.nn.") and kind.__name__ == "Module" for kind in type(value).__mro__)


def is_named(value: Any) -> bool:
    """Whether a value names a choice, or sets keys of one."""
    return isinstance(value, str) or (
        isinstance(value, Mapping) and not set(value) <= set(SPLITS) and not isinstance(value, Sequence)
    )
