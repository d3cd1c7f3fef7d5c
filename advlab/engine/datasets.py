"""A split of the run's dataset, as the run's model takes its images."""

from __future__ import annotations

import logging

from advlab.config.compatibility import check_compatibility
from advlab.config.settings import Settings
from advlab.data.images import ImageData
from advlab.engine.files import load_options
from advlab.store.artifacts import ArtifactStore

log = logging.getLogger(__name__)


def load_dataset(settings: Settings, artifacts: ArtifactStore, split: str) -> ImageData:
    """One split of the dataset as `ImageData` on the CPU.

    Args:
        settings: of the run; its model says how large images are when neither the dataset nor the user does.
        artifacts: the cache of what is expensive.
        split: such as train or test.

    Raises:
        ConfigError: the model does not take these images, or has other classes.
        DataError: the data are missing, incomplete or corrupt.
    """
    source, options = settings.dataset, load_options(settings, artifacts)
    node = settings.nodes["dataset"]
    # what is declared is checked before anything is downloaded, and what was loaded is checked again
    check_compatibility(node["name"], source.shape(options.model_shape), source.class_count, settings)
    data = source.load(split, node.get("label") or node["name"], options)
    check_compatibility(node["name"], data.shape, len(data.classes), settings)
    for remark in data.remarks:
        log.log(logging.WARNING if remark.warns else logging.INFO, "%s/%s: %s", data.name, split, remark.text)
    return data
