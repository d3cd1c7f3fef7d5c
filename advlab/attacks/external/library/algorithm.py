"""Attacks of foolbox, torchattacks, ART and adv-lib by name, batch by batch on a counted network with images in [0, 1]."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
from collections.abc import Iterator

import torch
from torch import Tensor

from advlab.attacks.external.counted_module import CountedModule, images_inside, seeded_by_images
from advlab.attacks.external.library.adapters import ADAPTERS
from advlab.attacks.external.library.catalogue import LIBRARIES, attack_called, silenced
from advlab.attacks.external.library.params import Library
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status
from advlab.errors import ArgumentError

log = logging.getLogger(__name__)


def run(problem: Problem, params: Library) -> AlgorithmResult:
    """Run the library's attack batch by batch; random numbers are a function of the seed and of the batch.

    Behind a defense that rejects it is run on one image at a time (see `CountedModule`).

    But ART's BoundaryAttack, HopSkipJump and BrendelBethgeAttack draw from entropy of their own.
    Pixels that the attack leaves as they are in [0, 1] keep their exact value.

    Raises:
        ArgumentError: the library is missing, it has no such attack, the attack has no such option or takes no targets, or
            it fails, with its own message.
    """
    called = attack_called(params)
    status = torch.full_like(problem.labels, int(Status.MAX_ITER))
    adv = problem.x.clone()
    facts = {"library": params.library, "version": importlib.metadata.version(LIBRARIES[params.library].distribution)}
    if not len(problem):
        return AlgorithmResult(adv, status, torch.zeros_like(status), facts=facts)
    low, extent = problem.bounds[0], problem.extent
    with errors_naming(params), silenced(), torch.enable_grad():
        model = CountedModule(problem, unit_interval=True)
        library_attack = ADAPTERS[params.library](model, problem, params, called)
        for rows in model.batches():
            # plain tensors: foolbox refuses those of a subclass
            labels = problem.labels[rows].clone().as_subclass(Tensor)
            targets = None if problem.targets is None else problem.targets[rows].as_subclass(Tensor)
            x = problem.x[rows]
            x_unit = ((x - low) / extent).clamp(0, 1)
            with seeded_by_images(params.seed, x_unit, (0.0, 1.0)):
                returned = library_attack(x_unit.clone().as_subclass(Tensor), labels, targets)
            if isinstance(returned, Tensor) and returned.shape == x.shape:
                returned = returned.detach().to(x)
                returned = torch.where(returned == x_unit, x, returned * extent + low)
            adv[rows], finite = images_inside(problem, rows, returned, "it")
            status[rows] = torch.where(finite, int(Status.MAX_ITER), int(Status.NONFINITE))
    return AlgorithmResult(adv, status, torch.zeros_like(status), facts=facts)


@contextlib.contextmanager
def errors_naming(params: Library) -> Iterator[None]:
    """Name the library and the attack in whatever it raises.

    Only the library checks the values of its options, at whatever place it uses them: so an error inside it is told as a
    refused argument, and its traceback goes to the run's log.

    Raises:
        ArgumentError: always with the library's own message; running out of memory keeps its type.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if not isinstance(error, ArgumentError):
            log.info("the traceback of %s's %s stands in log.txt", params.library, params.attack, exc_info=error)
        kind = f"{type(error).__name__}: " if not isinstance(error, ValueError) else ""
        raise ArgumentError(
            f"{params.library}'s {params.attack} with options {dict(params.options)} failed: {kind}{error}"
        ) from error
