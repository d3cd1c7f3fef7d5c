"""Where a run's data and weights are read from, and what is missing of them: known without torch."""

from __future__ import annotations

from advlab.config.settings import Settings
from advlab.data.source import LoadOptions, Source
from advlab.models.base import Model
from advlab.store.artifacts import ArtifactStore


def load_options(settings: Settings, artifacts: ArtifactStore) -> LoadOptions:
    """Where a run keeps its data, and what images its model takes."""
    model, run = settings.model, settings.run
    has_model = isinstance(model, Model)
    return LoadOptions(
        root=run.path("data_root"),
        download=run.download and not run.dry,
        artifacts=artifacts,
        model_shape=model.shape if has_model else None,
        model_classes=model.class_count if has_model else 0,
        model_crop=model.crop if has_model else 1.0,
        model_resample=model.resample if has_model else "bilinear",
        image_memory=run.image_memory,
    )


def check_files(settings: Settings, artifacts: ArtifactStore) -> None:
    """Refuse files of data and weights that are missing, before torch is loaded, which takes seconds.

    Raises:
        AdvlabError: what is missing, and the remedy.
    """
    listed = [entry.component for entries in settings.lists.values() for entry in entries.values()]
    for component in (settings.dataset, settings.model, *listed):
        if isinstance(component, Source):
            component.check_files(load_options(settings, artifacts))
        elif isinstance(component, Model):
            component.check_files()
