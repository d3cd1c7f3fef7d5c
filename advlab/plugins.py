"""A user's own models, datasets and experiments, without forking.

A plug-in is a Python file that registers components with the decorators below, named by `--plugin FILE` (may be
repeated) or the environment variable ADVLAB_PLUGINS (separated as PATH is), or an installed package with an entry
point in the group `advlab.plugins`. Each component becomes a choice of its group (`model=my_mobilenet`) at once;
a YAML file of the same name in a folder given by Hydra's `--config-dir` replaces that choice. Code is never named
from YAML.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from advlab import components
from advlab.errors import AdvlabError, ConfigError

VARIABLE = "ADVLAB_PLUGINS"
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
        signature = inspect.signature(build)
        hints = inspect.get_annotations(build, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        names = [p.name for p in own]
        common = {"checkpoint": "", "sha256": "", "mean": list(mean), "std": list(std)}

        def make(**options: Any) -> Any:
            from advlab.models.zoo import Foreign

            values = {key: options.pop(key, default) for key, default in common.items()}
            return Foreign(
                build=functools.partial(build, **options), options=options, declared_shape=input_shape,
                declared_classes=classes, declared_crop=crop, trained=trained, **values,
            )  # fmt: skip

        kinds = {"checkpoint": str, "sha256": str, "mean": list[float], "std": list[float]}
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [p.replace(kind=keyword) for p in own]
        parameters += [
            inspect.Parameter(key, keyword, default=default, annotation=kinds[key])
            for key, default in common.items()
            if key not in names
        ]
        make.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        make.__annotations__ = {**{n: hints[n] for n in names if n in hints}, **kinds}
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

        components.DATASETS.add(name, foreign_source(name, load))
        _choices["dataset", name] = ({"name": name}, "dataset")
        return load

    return decorate


def experiment(cls: type) -> type:
    """Class decorator: register an `advlab.experiment.Experiment` under its `name`."""
    name = getattr(cls, "name", "")
    if not name:
        raise ConfigError(f"the experiment class {cls.__name__} needs a class attribute `name`")
    components.EXPERIMENTS.add(name, cls)
    _choices["experiment", name] = ({"experiment": {"name": name}}, "_global_")
    return cls


def load_plugins(files: Sequence[str] = ()) -> None:
    """Load the plug-ins of `files`, of ADVLAB_PLUGINS and of installed packages, each once.

    Raises:
        ConfigError: a file is missing or does not run.
    """
    _name_torchvision()
    named = [*os.environ.get(VARIABLE, "").split(os.pathsep), *files]
    for name in dict.fromkeys(str(Path(n).expanduser().resolve()) for n in named if n):
        if name not in _loaded:
            _loaded.add(name)
            _execute(Path(name))
    if files:  # workers of a multirun inherit them
        os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys(str(Path(n).expanduser().resolve()) for n in named if n))
    from importlib.metadata import entry_points

    for entry in entry_points(group="advlab.plugins"):
        if entry.value not in _loaded:
            _loaded.add(entry.value)
            entry.load()
    _offer()


def _execute(path: Path) -> None:
    if not path.is_file():
        raise ConfigError(f"the plug-in {path} does not exist: --plugin takes a Python file")
    spec = importlib.util.spec_from_file_location(f"advlab_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"the plug-in {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))  # its neighbours, as for a script
    try:
        spec.loader.exec_module(module)
    except AdvlabError:
        raise
    except Exception as error:
        import traceback

        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise ConfigError(
            f"the plug-in {path} failed: {type(error).__name__}: {error} ({frame.filename}, line {frame.lineno})"
        ) from error
    finally:
        sys.path.remove(str(path.parent))


def _offer() -> None:
    """Make every registered component a choice of its Hydra group."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    for (group, name), (node, package) in _choices.items():
        store.store(group=group, name=name, node=node, package=package)


def _name_torchvision() -> None:
    """Make every torchvision classifier a model, with ImageNet as its dataset."""
    from advlab.models.torchvision_nets import NAMES

    for name in NAMES:
        components.MODELS.add(name, f"advlab.models.torchvision_nets:{name}")
        choice = {"defaults": [{"override /dataset": "imagenet"}], "model": {"name": name}}
        _choices["model", name] = (choice, "_global_")
