"""A user's own dataset: wraps a loader function so that it behaves as every other source."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from advlab.config.schema import describe_factory, keyword_parameters
from advlab.data.content import Arrays
from advlab.data.source import LoadOptions, Source
from advlab.errors import MISTYPED, AdvlabError, ConfigError, DataError, where_it_failed

WHOLE = 1e-3  # of a grey level; x / 255 is off by 2e-5 in float32


@dataclass(frozen=True, kw_only=True)
class PluginSource(Source):
    """A dataset registered by a plug-in; images of its own size unless `size` and `channels` say otherwise."""

    loader: Callable[..., Any] = field(repr=False)
    options: dict[str, Any] = field(default_factory=dict)

    def archived(self) -> dict[str, Any]:
        """What is archived."""
        return {**self.options, "size": self.size, "channels": self.channels, "split": self.split}

    def read(self, split: str, name: str, options: LoadOptions) -> Arrays:
        """See `Source.read`.

        Raises:
            DataError: the loader is mistyped, or its arrays have the wrong shapes, types or ranges.
        """
        import numpy as np  # a tenth of a second, which `advlab help` and a mistyped name must not wait for

        try:
            returned = self.loader(split=split, **self.options)
        except AdvlabError:
            raise
        except MISTYPED as error:
            code = getattr(self.loader, "__code__", None)
            place = where_it_failed(error, code.co_filename if code else "")
            raise DataError(f"{name}: its loader failed: {place}: mend it") from error
        try:
            images, labels, classes = returned
            array, targets = np.asarray(images), np.asarray(labels)
        except (TypeError, ValueError) as error:
            raise DataError(f"{name}: its loader must return (images, labels, class names), arrays: {error}") from error
        if array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[3] not in (1, 3):
            array = array.transpose(0, 2, 3, 1)
        if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)):
            raise DataError(
                f"{name}: images must be (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels, got {array.shape}"
            )
        if not array.size:
            raise DataError(f"{name}: the split {split!r} holds no images")
        if array.dtype.kind not in "buif":  # texts and complex numbers would become others
            raise DataError(f"{name}: images must be uint8, or floats in [0, 1], got {array.dtype}")
        if array.dtype != np.uint8:
            values = array.astype(np.float64)
            check_floats(name, values)
            levels = np.rint(values * 255)
            whole = np.abs(values * 255 - levels).max() < WHOLE
            array = levels.astype(np.uint8) if whole else values.astype(np.float32)
        elif array.max() == 1:
            raise DataError(
                f"{name}: its images are uint8 and hold 0 and 1 alone, which are black: white is 255 (x * 255)"
            )
        if targets.ndim != 1 or not np.issubdtype(targets.dtype, np.integer):
            raise DataError(f"{name}: labels must be (N,) integers, got {targets.dtype} {targets.shape}")
        loaded_shape = (array.shape[3] if array.ndim == 4 else 1, array.shape[1], array.shape[2])
        return Arrays(class_names(name, classes), array, targets, self.shape(loaded_shape))


def check_floats(name: str, values: Any) -> None:
    """Refuse images that lie on another scale than 0 (black) to 1 (white).

    Raises:
        DataError: says on which, and what to do.
    """
    import numpy as np

    if not np.isfinite(values).all():
        raise DataError(f"{name}: its images hold NaN or infinite values")
    low, high = float(values.min()), float(values.max())
    if low < 0:
        remedy = "undo their normalisation (x * std + mean) and put it into the network"
    elif high > 1:
        remedy = "divide them by 255" if high <= 255 else "divide them by the value of white"
    elif 0 < high <= 1 / 255:
        remedy = "white is 1, and all of them are black; divided by 255 twice?"
    else:
        return
    raise DataError(
        f"{name}: images must be uint8, or floats in [0, 1], these reach from {low:.3g} to {high:.3g}: {remedy}"
    )


def class_names(name: str, classes: Any) -> list[str]:
    """The names of the classes that a loader returned; numbers among them as text.

    Raises:
        DataError: they are no list of names, or two are alike.
    """
    if isinstance(classes, str | bytes | Mapping | Set) or not isinstance(classes, Iterable):
        raise DataError(
            f"{name}: class names must be a list with a name for each class, got {classes!r} ({type(classes).__name__})"
        )
    every = list(classes)
    wrong = [label for label in every if isinstance(label, bool) or not isinstance(label, str | Integral)]
    if wrong:
        raise DataError(f"{name}: class names must be text, got {wrong[0]!r} ({type(wrong[0]).__name__})")
    names = [str(label).encode("utf-8", "backslashreplace").decode() for label in every]
    twice = [label for label in names if names.count(label) > 1]
    if twice:
        raise DataError(f"{name}: class names must differ, {twice[0]!r} is there {names.count(twice[0])} times")
    if not names:
        raise DataError(f"{name}: class names must be a list with a name for each class, got none")
    return names


def plugin_source(name: str, load: Callable[..., Any]) -> Callable[..., PluginSource]:
    """A component whose keys are the loader's keyword parameters and those of every source.

    Raises:
        ConfigError: the loader takes no `split`, or it has a parameter that every dataset has.
    """
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = keyword_parameters("dataset", name, load, ("name", "size", "channels"))
    of_loader = [p for p in parameters if p.name != "split"]
    variadic = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(load).parameters.values())
    if len(of_loader) == len(parameters) and not variadic:
        raise ConfigError(f"the dataset {name}: its loader must take split ('train' or 'test')")
    hints = typing.get_type_hints(Source, include_extras=True)
    common = {"size": (hints["size"], 0), "channels": (hints["channels"], 0), "split": (str, "test")}

    def make(**options: Any) -> PluginSource:
        values = {key: options.pop(key, default) for key, (_, default) in common.items()}
        options = {p.name: p.default for p in of_loader if p.default is not p.empty} | options  # archived, defaults too
        return PluginSource(loader=load, options=options, **values)

    of_all = [inspect.Parameter(key, keyword, default=d, annotation=kind) for key, (kind, d) in common.items()]
    describe_factory(make, of_loader + of_all, load.__doc__ or f"{name}: a plug-in dataset.")
    return make
