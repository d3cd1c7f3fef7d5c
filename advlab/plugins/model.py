"""The decorator `advlab.model`: a user's factory of networks becomes a choice of `model=`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from annotated_types import Gt

from advlab.config import components
from advlab.config.schema import describe_factory, keyword_parameters
from advlab.models.base import Fault
from advlab.models.plugin_model import PluginModel
from advlab.plugins.names import Registered, check_name, registered_choices

COMMON_MODEL_KEYS = ("name", "checkpoint", "checkpoint_key", "sha256", "mean", "std", "allow")


def model(
    name: str,
    *,
    input_shape: tuple[int, int, int] | Callable[..., tuple[int, int, int]],
    classes: int = 0,
    crop: float = 1.0,
    dataset: str = "",
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    trained: bool = True,
    version: int = 1,
) -> Callable[[Registered], Registered]:
    """Decorator: register a factory of a `torch.nn.Module` as a model.

    Args:
        name: as on the command line.
        input_shape: (C, H, W) of the images, which come in [0, 1] and are normalised by `mean` and `std` when given; or a
            function that gives it for the factory's options, such as one that reads it beside the weights.
        classes: number of logits; 0: found by a forward pass.
        crop: share of the resized shorter side that its evaluation protocol keeps (.875 is ImageNet's usual).
        dataset: the dataset that `model=NAME` brings along.
        mean: per channel, in [0, 1] units.
        std: per channel, in [0, 1] units.
        version: raise it when the code makes another network for the same parameters.
        trained: whether the factory returns trained weights; otherwise a recipe or a checkpoint gives them.

    The factory's own keyword parameters become keys: `model.width=3`.
    """

    def decorate(build: Registered) -> Registered:
        check_name("model", name, build)
        own = keyword_parameters("model", name, build, COMMON_MODEL_KEYS)
        texts = {"checkpoint": "", "checkpoint_key": "", "sha256": ""}
        common = {**texts, "mean": list(mean), "std": list(std), "allow": []}

        def make(**options: Any) -> Any:
            values = {key: options.pop(key, default) for key, default in common.items()}
            options = {p.name: p.default for p in own if p.default is not p.empty} | options  # archived, defaults too
            return type(name, (PluginModel,), {"version": version})(
                build=functools.partial(build, **options), options=options,
                declared_shape=functools.partial(input_shape, **options) if callable(input_shape) else input_shape,
                declared_classes=classes, declared_crop=crop, trained=trained, **values,
            )  # fmt: skip

        kinds = {
            **dict.fromkeys(texts, str), "mean": list[float], "std": list[Annotated[float, Gt(0)]], "allow": list[Fault],
        }  # fmt: skip
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [
            *own,
            *(inspect.Parameter(k, keyword, default=v, annotation=kinds[k]) for k, v in common.items()),
        ]
        describe_factory(make, parameters, build.__doc__ or f"{name}: a plug-in model.", version)
        components.REGISTRIES["model"].add(name, make)
        choice: dict[str, Any] = {"model": {"name": name}}
        if dataset:
            choice["defaults"] = [{"override /dataset": dataset}]
        registered_choices["model", name] = (choice, "_global_")
        return build

    return decorate
