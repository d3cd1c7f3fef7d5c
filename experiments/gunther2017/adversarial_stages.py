"""Adversarial images as stages: each attack on the first images of the order, in each arithmetic of the loss's gradient."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from advlab.attacks import Attack
from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cost, NetworkContext, Settings, Stage

from .adversarial_gallery import PAPER_NAMES

Arithmetic = Literal["exact", "float32"]
CLEAN = "clean"  # the images as they are, beside the kinds of adversarial ones
ADAPTIVE = "adaptive"  # images of attacks that know the defense
KIND = "gunther2017-adversarial"  # folder of the cache


@dataclass(frozen=True)
class Variant:
    """An attack in one arithmetic.

    Attributes:
        images: what the paper calls its images: FGS, FGV, HC-1; others as they are typed.
        arithmetic: of the loss's gradient; empty for attacks along no loss.
        attack: with that arithmetic.
    """

    images: str
    arithmetic: str
    attack: Attack

    @property
    def id(self) -> str:
        """Of its stage."""
        return f"{self.images}-{self.arithmetic}" if self.arithmetic else self.images

    @property
    def label(self) -> str:
        """In claims and figures; the exact arithmetic is not named."""
        return f"{self.images}, float32" if self.arithmetic == "float32" else self.images


def variants(attacks: Mapping[str, object], arithmetic: Sequence[str]) -> list[Variant]:
    """The attacks in each arithmetic that they have.

    Args:
        attacks: as they are typed -> `Attack`.
        arithmetic: exact, float32 or both.
    """
    found = []
    for name, attack in attacks.items():
        assert isinstance(attack, Attack)
        has = "arithmetic" in {field.name for field in dataclasses.fields(attack)}
        for each in arithmetic if has else [""]:
            own = dataclasses.replace(attack, arithmetic=each) if has else attack  # type: ignore[call-arg]
            found.append(Variant(PAPER_NAMES.get(name, name), each, own))
    return found


def refuse_doubled(params: object, *names: str) -> None:
    """Refuse values that a list of parameters names twice: they would be measured, and counted, twice.

    Raises:
        ArgumentError: names the field.
    """
    for name in names:
        values = getattr(params, name)
        if len(set(values)) < len(values):
            raise ArgumentError(f"{name} must name each once, got {values}")


def check_attacks(settings: Settings, experiment: str, parameter: str = "attacks") -> None:
    """Refuse attacks on whole sets, and those that need a target.

    Raises:
        ConfigError: names the attack.
    """
    for name, listed in settings.lists[parameter].items():
        attack = listed.component
        if not isinstance(attack, Attack) or attack.targeted == "always" or attack.set_level:
            raise ConfigError(
                f"experiment.{parameter}={name}: {experiment} needs attacks on single images towards any class: type "
                f"experiment.{parameter}=[fgs,fgv,hc1]"
            )


def adversarial_stages(ctx: NetworkContext, kinds: Sequence[Variant], samples: Sequence[int]) -> list[Stage]:
    """A stage for each attack, of the run's network without the defenses that are listed.

    Its arrays are:

    - `adv` (N, C, H, W): uint8 where all are in whole grey levels, otherwise float32 in [0, 1];
    - `success` (N,) bool; `prediction` (N,) of the network; `weight` (N,) w of x + w eta, NaN where there is none;
      `saturated` (N,) bool, as `AttackResult` says; `status` (N,).
    """
    from .adversarial_stages_measure import make_adversarial  # loads torch

    stages = []
    for kind in kinds:
        forwards, backwards = (len(samples) * each for each in kind.attack.estimated_cost(len(ctx.data.classes)))
        key = ctx.key(version=1, attack=kind.attack, samples=list(samples))
        make = partial(make_adversarial, ctx, kind.attack, list(samples))
        stages.append(Stage(kind.id, key, make, Cost(forwards, backwards), kind=KIND))
    return stages
