"""A user's own models, datasets, attacks and experiments, without forking.

A plug-in is a Python file that registers components with the decorators below, named by `--plugin FILE` (may be
repeated) or the environment variable ADVLAB_PLUGINS (separated as PATH is), or an installed package with an entry
point in the group `advlab.plugins`. Each component becomes a choice of its group (`model=my_mobilenet`) at once;
a YAML file of the same name in a folder given by Hydra's `--config-dir` replaces that choice. Code is never named
from YAML.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from advlab import components
from advlab.errors import AdvlabError, ConfigError, ResultError, suggest

# imported here, before the package binds the decorator: else a plug-in's `from advlab.experiment import Experiment`
# would put the module in place of `advlab.experiment`
from advlab.experiment import Experiment
from advlab.schema import keyword_parameters

VARIABLE = "ADVLAB_PLUGINS"
COMMON_MODEL_KEYS = ("name", "checkpoint", "sha256", "mean", "std")
C = TypeVar("C", bound=Callable[..., Any])

_loaded: set[str] = set()
_choices: dict[tuple[str, str], tuple[dict[str, Any], str]] = {}


def model(
    name: str,
    *,
    input_shape: tuple[int, int, int],
    classes: int = 0,
    crop: float = 1.0,
    dataset: str = "",
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    trained: bool = True,
) -> Callable[[C], C]:
    """Decorator: register a factory of a `torch.nn.Module` as a model.

    Args:
        name: as on the command line.
        input_shape: (C, H, W) of the images, which come in [0, 1] and are normalised by `mean` and `std` when given.
        classes: number of logits; 0: found by a forward pass.
        crop: share of the resized shorter side that its evaluation protocol keeps (.875 is ImageNet's usual).
        dataset: the dataset that `model=NAME` brings along.
        mean: per channel, in [0, 1] units.
        std: per channel, in [0, 1] units.
        trained: whether the factory returns trained weights; otherwise a recipe or a checkpoint gives them.

    The factory's own keyword parameters become keys: `model.width=3`.
    """

    def decorate(build: C) -> C:
        check_name("model", name)
        own = keyword_parameters("model", name, build, COMMON_MODEL_KEYS)
        common = {"checkpoint": "", "sha256": "", "mean": list(mean), "std": list(std)}

        def make(**options: Any) -> Any:
            from advlab.models.zoo import Foreign

            values = {key: options.pop(key, default) for key, default in common.items()}
            options = {p.name: p.default for p in own if p.default is not p.empty} | options  # archived, defaults too
            return Foreign(
                build=functools.partial(build, **options), options=options, declared_shape=input_shape,
                declared_classes=classes, declared_crop=crop, trained=trained, **values,
            )  # fmt: skip

        kinds = {"checkpoint": str, "sha256": str, "mean": list[float], "std": list[float]}
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [
            *own,
            *(inspect.Parameter(k, keyword, default=v, annotation=kinds[k]) for k, v in common.items()),
        ]
        make.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect reads it
        make.__annotations__ = {**{p.name: p.annotation for p in own}, **kinds}
        make.__doc__ = build.__doc__ or f"{name}: a plug-in model."
        components.MODELS.add(name, make)
        choice: dict[str, Any] = {"model": {"name": name}}
        if dataset:
            choice["defaults"] = [{"override /dataset": dataset}]
        _choices["model", name] = (choice, "_global_")
        return build

    return decorate


def dataset(name: str) -> Callable[[C], C]:
    """Decorator: register a loader as a dataset.

    The loader takes `split` ("train" or "test") and its own keyword parameters, which become keys
    (`dataset.root=...`), and returns (images, labels, class names): images (N, H, W), (N, H, W, C) or (N, C, H, W),
    uint8 or float in [0, 1]; labels (N,) integers.
    """

    def decorate(load: C) -> C:
        from advlab.data.foreign import foreign_source

        check_name("dataset", name)
        components.DATASETS.add(name, foreign_source(name, load))
        _choices["dataset", name] = ({"name": name}, "dataset")
        return load

    return decorate


def attack(name: str, *, norm: Literal["l2", "linf"] = "l2", minimal: bool = False) -> Callable[[C], C]:
    """Decorator: register a function as an attack.

    Args:
        name: as on the command line.
        norm: in which the length of its perturbations is given.
        minimal: whether it looks for the smallest perturbation; otherwise its length is given.

    The function takes (model, images, labels), (N, C, H, W) in pixel units and (N,), and returns images of the same
    shape; what leaves the pixel bounds is clipped, and every image is classified again. It may take `bounds` (lowest and
    highest pixel value) and `targets` ((N,) classes to reach; None, if that is its default, for any other class). Its
    other parameters become keys: `attack.steps=20`.

    Raises:
        ConfigError: the name is taken or cannot be typed, or the function does not take the three.
    """

    def decorate(function: C) -> C:
        check_name("attack", name)
        if norm not in ("l2", "linf"):
            raise ConfigError(f"the attack {name} has norm={norm!r}: it must be l2 or linf")
        every = inspect.signature(function).parameters
        positional = [p for p in every.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        if len(positional) < 3 or {p.name for p in positional[:3]} & {"targets", "bounds"}:
            raise ConfigError(f"the attack {name} must take (model, images, labels) first: see advlab.attack")
        first = [p.name for p in positional[:3]]
        own = [p for p in keyword_parameters("attack", name, function, ("name",)) if p.name not in first]
        passes = frozenset(p.name for p in own) & {"targets", "bounds"}
        own = [p for p in own if p.name not in passes]
        optional = "targets" in passes and every["targets"].default is None
        traits: dict[str, Any] = {
            "function": staticmethod(function),
            "passes": passes,
            "norm": norm,
            "minimal": minimal,
            "targeted": "never" if "targets" not in passes else "optional" if optional else "always",
            "__doc__": function.__doc__ or f"{name}: a plug-in attack.",
        }

        def make(**options: Any) -> Any:
            from advlab.attacks.zoo import ForeignAttack

            cls = type(name, (ForeignAttack,), traits)
            return cls(options={p.name: p.default for p in own if p.default is not p.empty} | options)

        make.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]  # inspect reads it
        make.__annotations__ = {p.name: p.annotation for p in own}
        make.__doc__ = traits["__doc__"]
        components.ATTACKS.add(name, make)
        _choices["attack", name] = ({"name": name}, "attack")
        return function

    return decorate


def experiment(cls: type) -> type:
    """Class decorator: register an `advlab.experiment.Experiment` under its `name`.

    Raises:
        ConfigError: something that an experiment declares is missing.
    """
    if not (isinstance(cls, type) and issubclass(cls, Experiment)):
        raise ConfigError(f"the experiment {cls!r} must be a class that derives from advlab.experiment.Experiment")
    name = getattr(cls, "name", "")
    if not name:
        raise ConfigError(f"the experiment class {cls.__name__} needs a class attribute `name`")
    check_name("experiment", name)
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    missing += [attribute for attribute in ("paper", "title", "Params", "Row") if not hasattr(cls, attribute)]
    if missing:
        raise ConfigError(f"the experiment {name} lacks {', '.join(missing)}: see advlab.experiment.Experiment")
    for attribute in ("Params", "Row"):
        if not dataclasses.is_dataclass(getattr(cls, attribute)):
            raise ConfigError(f"the experiment {name}: {attribute} must be a dataclass")
    for group in cls.uses:
        if group not in components.FAMILIES:
            raise ConfigError(f"the experiment {name} uses {group!r}. {suggest(group, components.FAMILIES)}")
    components.EXPERIMENTS.add(name, cls)
    _choices["experiment", name] = ({"experiment": {"name": name}}, "_global_")
    return cls


def check_name(kind: str, name: str) -> None:
    """Refuse what could not be typed as `KIND=NAME`, and what a packaged YAML file would hide.

    Raises:
        ConfigError: the name is not usable.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name) or name in ("none", "null"):
        raise ConfigError(
            f"the {kind} name {name!r} cannot be typed: use letters, digits, _ and -, and not none or null"
        )
    if (Path(config_folder()) / kind / f"{name}.yaml").is_file():
        raise ConfigError(f"the {kind} name {name!r} is taken already: register under another name")


def config_folder() -> str:
    """Where the packaged YAML files lie.

    Raises:
        ResultError: the package of them is missing.
    """
    spec = importlib.util.find_spec("advlab.configs")
    if spec is None or not spec.submodule_search_locations:
        raise ResultError("the package advlab.configs is missing: install advlab again")
    return next(iter(spec.submodule_search_locations))


def load_plugins(files: Sequence[str] = ()) -> None:
    """Load the plug-ins of `files`, of ADVLAB_PLUGINS and of installed packages, each once.

    Raises:
        ConfigError: a file is missing or does not run.
    """
    _name_torchvision()
    named = [*os.environ.get(VARIABLE, "").split(os.pathsep), *files]
    for name in dict.fromkeys(str(Path(n).expanduser().resolve()) for n in named if n):
        if name not in _loaded:
            _execute(Path(name))
            _loaded.add(name)
    if files:  # workers of a multirun inherit them
        os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys(str(Path(n).expanduser().resolve()) for n in named if n))
    from importlib.metadata import entry_points

    for entry in entry_points(group="advlab.plugins"):
        if entry.value not in _loaded:
            with _blamed(f"the installed plug-in {entry.name} ({entry.value})"):
                entry.load()
            _loaded.add(entry.value)
    _offer()


def _execute(path: Path) -> None:
    if not path.is_file():
        fault = "is no file" if path.exists() else "does not exist"
        raise ConfigError(f"the plug-in {path} {fault}: --plugin takes a Python file")
    digest = hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:8]  # two files may share a name
    spec = importlib.util.spec_from_file_location(f"advlab_plugin_{path.stem}_{digest}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"the plug-in {path} is no Python file: --plugin takes one that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))  # its neighbours, as for a script
    try:
        with _blamed(f"the plug-in {path}"):
            spec.loader.exec_module(module)
    except ConfigError:
        sys.modules.pop(spec.name, None)
        raise
    finally:
        with contextlib.suppress(ValueError):  # the plug-in may have taken it out itself
            sys.path.remove(str(path.parent))


@contextlib.contextmanager
def _blamed(plugin: str) -> Iterator[None]:
    """Turn whatever a plug-in's code raises into one message that names the plug-in and the line."""
    try:
        yield
    except AdvlabError as error:
        raise ConfigError(f"{plugin}: {error}") from error
    except (Exception, SystemExit) as error:
        import traceback

        frame = traceback.extract_tb(error.__traceback__)[-1]
        file, line = frame.filename, frame.lineno
        if isinstance(error, SyntaxError):
            file, line = error.filename or file, error.lineno or line
        text = error.msg if isinstance(error, SyntaxError) else error
        raise ConfigError(f"{plugin} failed: {type(error).__name__}: {text} ({file}, line {line}): mend it") from error


def _offer() -> None:
    """Make every registered component a choice of its Hydra group."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    # Hydra copies the store deeply at each of its questions, a second in all for `--help`; its answers are copies anyway
    store.__deepcopy__ = functools.partial(_itself, store)  # type: ignore[attr-defined]  # copy looks for it there
    for (group, name), (node, package) in _choices.items():
        store.store(group=group, name=name, node=node, package=package)


def _itself(store: Any, memo: Any) -> Any:
    return store


def _name_torchvision() -> None:
    """Make every torchvision classifier a model, with ImageNet as its dataset."""
    from advlab.models.torchvision_nets import NAMES

    for name in NAMES:
        components.MODELS.add(name, f"advlab.models.torchvision_nets:{name}")
        choice = {"defaults": [{"override /dataset": "imagenet"}], "model": {"name": name}}
        _choices["model", name] = (choice, "_global_")
