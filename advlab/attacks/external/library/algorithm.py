"""Attacks of foolbox, torchattacks and ART by name, on a counted network with images in [0, 1]."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import inspect
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from advlab.attacks.external.counted_module import CountedModule, accept, seeded
from advlab.attacks.external.library.params import Library
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status
from advlab.errors import suggest

Run = Callable[[Tensor, Tensor, Tensor | None], Tensor]  # (images in [0, 1], labels, targets or None) -> images

#: library -> (distribution, module of its attacks, module and name of their base class)
LIBRARIES = {
    "foolbox": ("foolbox", "foolbox.attacks", "foolbox.attacks.base", "Attack"),
    "torchattacks": ("torchattacks", "torchattacks", "torchattacks.attack", "Attack"),
    "art": ("adversarial-robustness-toolbox", "art.attacks.evasion", "art.attacks.attack", "EvasionAttack"),
}


def run(problem: Problem, params: Library) -> AlgorithmResult:
    """Run the library's attack batch by batch; random numbers are a function of the seed and of the batch.

    But ART's BoundaryAttack, HopSkipJump and BrendelBethgeAttack draw from entropy of their own.
    Pixels that the attack leaves as they are in [0, 1] keep their exact value.

    Raises:
        ValueError: the library is missing, it has no such attack, the attack has no such option or takes no targets, or
            it fails, with its own message.
    """
    found = find(params)
    status = torch.full_like(problem.labels, int(Status.MAX_ITER))
    adv = problem.x.clone()
    facts = {"library": params.library, "version": importlib.metadata.version(LIBRARIES[params.library][0])}
    low, extent = problem.bounds[0], problem.extent
    if not len(problem):
        return AlgorithmResult(adv, status, torch.zeros_like(status), facts=facts)
    with blamed(params), quiet(), torch.enable_grad():
        run = {"foolbox": foolbox, "torchattacks": torchattacks, "art": art}[params.library](problem, params, found)
        for start in range(0, len(problem), problem.batch_size):
            rows = slice(start, min(start + problem.batch_size, len(problem)))
            targets = None if problem.targets is None else problem.targets[rows]
            x = problem.x[rows]
            unit = ((x - low) / extent).clamp(0, 1)
            with seeded(params.seed, unit, (0.0, 1.0)):
                out = run(unit.clone(), problem.labels[rows].clone(), targets)
            if isinstance(out, Tensor) and out.shape == x.shape:
                out = out.detach().to(x)
                out = torch.where(out == unit, x, out * extent + low)
            adv[rows], finite = accept(problem, rows, out, "it")
            status[rows] = torch.where(finite, int(Status.MAX_ITER), int(Status.NONFINITE))
    return AlgorithmResult(adv, status, torch.zeros_like(status), facts=facts)


def find(params: Library) -> type:
    """The class of the attack.

    Raises:
        ValueError: the library is missing, or it has no such attack, or the attack no such option.
    """
    _, module, base_module, base_name = LIBRARIES[params.library]
    try:
        with quiet():
            home = importlib.import_module(module)
            base = getattr(importlib.import_module(base_module), base_name)
    except ImportError as error:
        raise ValueError(f'{params.library} does not import ({error}): pip install "advlab[peers]"') from error
    known = {
        name: value
        for name, value in vars(home).items()
        if isinstance(value, type) and issubclass(value, base) and value is not base and not inspect.isabstract(value)
    }
    if params.attack not in known:
        raise ValueError(f"{params.library} has no attack {params.attack!r}. {suggest(params.attack, known)}")
    cls = known[params.attack]
    taken = inspect.signature(cls).parameters
    own = [name for name, p in list(taken.items()) if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if params.library != "foolbox":
        own = own[1:]  # the model comes first
    given = {"targeted"} if params.library == "art" else set()  # follows from the call
    options = sorted(set(own) - given)
    for name in params.options:
        if name in given:
            raise ValueError(
                f"{params.library}'s {params.attack}: give targets to the attack instead of the option {name}"
            )
        if name not in options and not any(p.kind is p.VAR_KEYWORD for p in taken.values()):
            raise ValueError(f"{params.library}'s {params.attack} has no option {name!r}. {suggest(name, options)}")
    if params.epsilon and params.library != "foolbox":
        raise ValueError(
            f"epsilon is for foolbox; {params.library}'s {params.attack} has options. {suggest('eps', options)}"
        )
    return cls


def foolbox(problem: Problem, params: Library, cls: type) -> Run:
    """See `Run`; options go to the constructor, `epsilon` to the call."""
    import foolbox as fb
    from foolbox.models.pytorch import PyTorchModel

    fixed = issubclass(cls, fb.attacks.base.FixedEpsilonAttack)
    if fixed and not params.epsilon:
        raise ValueError("it has a fixed length: give epsilon")
    attack = cls(**params.options)
    model = PyTorchModel(CountedModule(problem, unit=True), bounds=(0, 1), device=problem.x.device)

    def run(x: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        criterion = (
            fb.criteria.Misclassification(labels) if targets is None else fb.criteria.TargetedMisclassification(targets)
        )
        try:
            _, clipped, _ = attack(model, x, criterion, epsilons=params.epsilon or None)
        except ValueError as error:
            if targets is not None and "unsupported criterion" in str(error):
                raise ValueError("it takes no targets") from error
            raise
        return clipped

    return run


def torchattacks(problem: Problem, params: Library, cls: type) -> Run:
    """See `Run`; options go to the constructor."""
    attack = cls(CountedModule(problem, unit=True), **params.options)
    attack.set_device(problem.x.device)
    if problem.targets is not None:
        if "targeted" not in attack.supported_mode:
            raise ValueError("it takes no targets")
        attack.set_mode_targeted_by_label(quiet=True)

    def run(x: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        return attack(x, labels if targets is None else targets)

    return run


def art(problem: Problem, params: Library, cls: type) -> Run:
    """See `Run`; options go to the constructor, but `targeted`, which follows from the call."""
    from art.estimators.classification import PyTorchClassifier

    names = getattr(cls, "attack_params", ())
    if problem.targets is not None and "targeted" not in names:
        raise ValueError("it takes no targets")
    classifier = PyTorchClassifier(
        model=CountedModule(problem, unit=True), loss=torch.nn.CrossEntropyLoss(), input_shape=tuple(problem.x.shape[1:]),
        nb_classes=problem.classes, clip_values=(0.0, 1.0), device_type="gpu" if problem.x.is_cuda else "cpu",
    )  # fmt: skip
    options: dict[str, Any] = {"verbose": False} if "verbose" in names else {}
    if "targeted" in names:
        options["targeted"] = problem.targets is not None
    attack = cls(classifier, **options, **{k: v for k, v in params.options.items() if k != "verbose"})

    def run(x: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        wanted = torch.nn.functional.one_hot(labels if targets is None else targets, problem.classes)
        found = attack.generate(x=x.float().cpu().numpy(), y=wanted.float().cpu().numpy())
        return torch.as_tensor(found, device=x.device)

    return run


@contextlib.contextmanager
def blamed(params: Library) -> Iterator[None]:
    """Name the library and the attack in whatever it raises.

    Raises:
        ValueError: always with the library's own message; running out of memory keeps its type.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        what = f"{type(error).__name__}: " if not isinstance(error, ValueError) else ""
        raise ValueError(
            f"{params.library}'s {params.attack} with options {dict(params.options)} failed: {what}{error}"
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No prints, warnings and log lines of the library."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
