"""Each library's way of calling an attack, as one function of images in [0, 1], labels and targets.

The libraries are optional and heavy, so that each is imported when one of its attacks is called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from advlab.attacks.external.counted_module import CountedModule
from advlab.attacks.external.library.catalogue import option_names
from advlab.attacks.external.library.params import Library
from advlab.attacks.problem import Problem
from advlab.errors import ArgumentError

AUTO_ATTACK_CLASSES = (
    10  # AutoAttack aims at nine other classes, however many there are (Croce and Hein 2020, section 5)
)

#: images (n, C, H, W) in [0, 1], labels (n,) and targets (n,) or None to images in [0, 1]
LibraryAttack = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def foolbox_attack(model: CountedModule, problem: Problem, params: Library, cls: Any) -> LibraryAttack:
    """Of foolbox: options go to the constructor, `epsilon` to the call.

    Raises:
        ArgumentError: an attack of fixed length without `epsilon`; in the call: it takes no targets.
    """
    import foolbox
    from foolbox.models.pytorch import PyTorchModel

    if issubclass(cls, foolbox.attacks.base.FixedEpsilonAttack) and not params.epsilon:
        raise ArgumentError("it has a fixed length: give epsilon")
    attack = cls(**params.options)
    foolbox_model = PyTorchModel(model, bounds=(0, 1), device=problem.x.device)

    def call(x: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        criterion: Any = foolbox.criteria.Misclassification(labels)
        if targets is not None:
            criterion = foolbox.criteria.TargetedMisclassification(targets)
        try:
            _, clipped, _ = attack(foolbox_model, x, criterion, epsilons=params.epsilon or None)
        except ValueError as error:
            if targets is not None and "unsupported criterion" in str(error):
                raise ArgumentError("it takes no targets") from error
            raise
        return clipped

    return call


def torchattacks_attack(model: CountedModule, problem: Problem, params: Library, cls: Any) -> LibraryAttack:
    """Of torchattacks: options go to the constructor; its seed is ours, and the number of classes the network's.

    Raises:
        ArgumentError: it takes no targets.
    """
    known = {"seed": params.seed, "n_classes": min(AUTO_ATTACK_CLASSES, problem.classes)}
    taken = inspect.signature(cls).parameters
    attack = cls(model, **{**{name: value for name, value in known.items() if name in taken}, **params.options})
    attack.set_device(problem.x.device)
    if problem.targets is not None:
        if "targeted" not in attack.supported_mode:
            raise ArgumentError("it takes no targets")
        attack.set_mode_targeted_by_label(quiet=True)

    def call(x: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        return attack(x, labels if targets is None else targets)

    return call


def art_attack(model: CountedModule, problem: Problem, params: Library, cls: Any) -> LibraryAttack:
    """Of ART: options go to the constructor, but `targeted`, which follows from the call.

    Raises:
        ArgumentError: it takes no targets.
    """
    from art.estimators.classification import PyTorchClassifier

    names = getattr(cls, "attack_params", ())
    if problem.targets is not None and "targeted" not in names:
        raise ArgumentError("it takes no targets")
    classifier = PyTorchClassifier(
        model=model, loss=torch.nn.CrossEntropyLoss(), input_shape=tuple(problem.x.shape[1:]),
        nb_classes=problem.classes, clip_values=(0.0, 1.0), device_type="gpu" if problem.x.is_cuda else "cpu",
    )  # fmt: skip
    options: dict[str, Any] = {"verbose": False} if "verbose" in names else {}
    if "targeted" in names:
        options["targeted"] = problem.targets is not None
    attack = cls(classifier, **options, **{k: v for k, v in params.options.items() if k != "verbose"})

    def call(x: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        one_hot = torch.nn.functional.one_hot(labels if targets is None else targets, problem.classes)
        images = attack.generate(x=x.float().cpu().numpy(), y=one_hot.float().cpu().numpy())
        return torch.as_tensor(images, device=x.device)

    return call


def adv_lib_attack(model: CountedModule, problem: Problem, params: Library, function: Any) -> LibraryAttack:
    """Of adv-lib: a function, which takes the options with each call.

    Raises:
        ArgumentError: it takes no targets.
    """
    takes_targets = "targeted" in inspect.signature(function).parameters
    if problem.targets is not None and not takes_targets:
        raise ArgumentError("it takes no targets")
    spelling = option_names(params.library, function)
    options = {spelling.get(name, name): value for name, value in params.options.items()}
    if takes_targets:
        options["targeted"] = problem.targets is not None

    def call(x: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        images: Tensor = function(model, x, labels if targets is None else targets, **options)
        return images

    return call


ADAPTERS = {
    "foolbox": foolbox_attack, "torchattacks": torchattacks_attack, "art": art_attack, "adv_lib": adv_lib_attack,
}  # fmt: skip
