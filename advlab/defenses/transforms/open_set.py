"""Stages that reject: OpenMax, which looks at a layer of the network behind it, and a threshold on softmax."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from advlab.data.images import ImageData
from advlab.defenses.draws import Draw
from advlab.defenses.transforms.stage import LogitsFunction, Stage
from advlab.errors import ArgumentError
from advlab.models.classifier import Classifier
from advlab.models.layer_outputs import features, recorded_outputs
from advlab.open_set.mean_activations import Distance
from advlab.open_set.openmax import OpenSetModel, TailOf, fit_open_set
from advlab.open_set.softmax_threshold import threshold_logits
from advlab.open_set.weibull import WeibullTails

IMAGES_AT_ONCE = 250  # training images in one forward


class OpenMaxStage(Stage):
    """Logits revised by how far the features of a layer are from each class, and one of being unknown.

    Args:
        model: what it was fitted to.
        layer: of the features.
        revise: logits (n, C) and w (n, C) to logits (n, C + 1).
    """

    rejects = True
    means: Tensor
    smallest: Tensor
    shape: Tensor
    log_ratio: Tensor

    def __init__(self, model: OpenSetModel, *, layer: str, revise: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.distance, self.translation = model.distance, model.tails.translation
        self.layer, self.revise = layer, revise
        for name, tensor in tensors_of(model).items():
            self.register_buffer(name, tensor)

    @property
    def model(self) -> OpenSetModel:
        """What it was fitted to, where the stage is."""
        tails = WeibullTails(self.smallest, self.shape, self.log_ratio, self.translation)
        return OpenSetModel(self.means, tails, self.distance)

    def logits(self, x: Tensor, draw: Draw | None, network: LogitsFunction) -> Tensor:
        """See `Stage.logits`.

        Raises:
            ArgumentError: the network has no layers that can be watched, or its features have another size.
            ModelError: there is no such layer, or it does not give a row for each image.
        """
        logits, layer_features = logits_and_features(network, x, self.layer)
        if (logits.shape[1], layer_features.shape[1]) != tuple(self.means.shape):
            raise ArgumentError(
                f"openmax was fitted to {len(self.means)} classes and features of size {self.means.shape[1]}, but the network "
                f"gives {logits.shape[1]} and {layer_features.shape[1]}: fit it to this network and layer"
            )
        return self.revise(logits, self.model.exceeded(layer_features.to(logits.dtype)))


class ThresholdStage(Stage):
    """The network's logits, and one that is the largest where no probability is above the threshold."""

    rejects = True

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def logits(self, x: Tensor, draw: Draw | None, network: LogitsFunction) -> Tensor:
        """See `Stage.logits`."""
        return threshold_logits(network(x), self.threshold)


def tensors_of(model: OpenSetModel) -> dict[str, Tensor]:
    """A fitted model as float32 tensors by name, which every device has."""
    tails = model.tails
    tensors = {"means": model.means, "smallest": tails.smallest, "shape": tails.shape, "log_ratio": tails.log_ratio}
    return {name: tensor.float() for name, tensor in tensors.items()}


def open_set_model(tensors: Mapping[str, Tensor], distance: Distance, translation: float) -> OpenSetModel:
    """The model whose tensors `tensors_of` gives."""
    tails = WeibullTails(tensors["smallest"], tensors["shape"], tensors["log_ratio"], translation)
    return OpenSetModel(tensors["means"], tails, distance)


def fitted_tensors(
    images: ImageData,
    network: LogitsFunction,
    *,
    layer: str,
    tail_size: int,
    distance: Distance,
    translation: float,
    tail_of: TailOf,
) -> dict[str, Tensor]:
    """What `OpenMax.fit` gives, where the network is; the features of all training images are held in memory.

    See `fit_open_set`.
    """
    scores, layer_features = training_features(images, network, layer)
    model = fit_open_set(
        layer_features, images.labels.cpu(), scores.argmax(1), classes=scores.shape[1],
        tail_size=tail_size, distance=distance, translation=translation, tail_of=tail_of,
    )  # fmt: skip
    return {name: tensor.to(device_of(network, images)) for name, tensor in tensors_of(model).items()}


def device_of(network: LogitsFunction, images: ImageData) -> torch.device:
    """Where a classifier is; other networks are given images where these are."""
    return network.device if isinstance(network, Classifier) else images.device


def training_features(images: ImageData, network: LogitsFunction, layer: str) -> tuple[Tensor, Tensor]:
    """Logits (N, C) and features (N, R) of all images on the CPU; see `logits_and_features`."""
    device, parts = device_of(network, images), []
    with torch.no_grad():
        for indices in torch.arange(len(images)).split(IMAGES_AT_ONCE):
            of_part = logits_and_features(network, images.images(indices).to(device), layer)
            parts.append([tensor.cpu() for tensor in of_part])
    scores, layer_features = (torch.cat(column) for column in zip(*parts, strict=True))
    return scores, layer_features


def logits_and_features(network: LogitsFunction, x: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """Logits (n, C) of images (n, C, H, W), and the features (n, R) of a layer, from one forward.

    Args:
        network: a classifier or a module, or one behind stages that change images.
        x: images.
        layer: name of a module; "auto": the input of a classifier's classification layer.

    Raises:
        ArgumentError: it is a mere function.
        ModelError: there is no such layer, or it does not give a row for each image.
    """
    watched: object = network
    while isinstance(watched, functools.partial):
        watched = watched.keywords.get("network")
    if isinstance(watched, Classifier):
        module, head, name = watched.network, watched.head, watched.name
    elif isinstance(watched, nn.Module):
        module, head, name = watched, "", type(watched).__name__
    else:
        raise ArgumentError(
            "openmax looks at a layer of the network: it must be a torch.nn.Module or a Classifier, or one of these behind "
            f"defenses of advlab, got {type(watched).__name__}"
        )
    with recorded_outputs(module, [layer], head=head, name=name, option="defense.layer") as outputs:
        logits = network(x)
    return logits, features(outputs, layer, len(x), name=name, option="defense.layer")
