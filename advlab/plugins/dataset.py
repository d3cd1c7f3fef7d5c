"""The decorator `advlab.dataset`: a user's loader becomes a choice of `dataset=`."""

from __future__ import annotations

from collections.abc import Callable

from advlab.config import components
from advlab.data.plugin_source import plugin_source
from advlab.plugins.names import Registered, check_name, registered_choices


def dataset(name: str) -> Callable[[Registered], Registered]:
    """Decorator: register a loader as a dataset.

    The loader takes `split` ("train" or "test") and its own keyword parameters, which become keys
    (`dataset.root=...`), and returns (images, labels, class names): images (N, H, W), (N, H, W, C) or (N, C, H, W),
    uint8 or float in [0, 1], which is not rounded; labels (N,) integers.
    """

    def decorate(load: Registered) -> Registered:
        check_name("dataset", name, load)
        components.REGISTRIES["dataset"].add(name, plugin_source(name, load))
        registered_choices["dataset", name] = ({"name": name}, "dataset")
        return load

    return decorate
