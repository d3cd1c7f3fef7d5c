"""The command lines of a snapshot: every experiment, attack and description, sweeps, and lines with a fault; all offline."""

from __future__ import annotations

from advlab.config import components
from advlab.config.choices import group_choices

TINY = ("run.preset=tiny", "run.batch_size=100")  # a fixed batch: how large one fits is a matter of the machine
#: attacks that must be told a class
TARGETED = ("deepfool_targeted", "fooling")
#: keys that an experiment needs beside its defaults: small, or on the data that the package holds
NEEDS = {
    "hard_point_training": (
        "dataset=digits", "model=lenet", "recipe=lenet_digits", "experiment.networks=[reference,third,noise,hard,adversarial,pgd]",
    ),
}  # fmt: skip
SPHERES = ("isotropy", "topology", "lipschitz")
VARIANTS = {
    "isotropy-clip": ("experiment=isotropy", "probe.clip=true", "probe.keep=false"),
    "topology-all": ("experiment=topology", "probe.layer=all", "experiment.test=normal", "probe.trials=20"),
    "lipschitz-all": ("experiment=lipschitz", "probe.layer=all", "probe.trials=20"),
    "symmetry_map-large": ("experiment=symmetry_map", "probe.radii=[1,5,20]"),
    "mlp_objectives-margin": ("experiment=mlp_objectives", "experiment.loss=margin"),
    "survey-transfer": ("experiment=attack_survey", "attack=fgv", "experiment.transfer=[mlp]", "dataset=digits"),
    "survey-all-targets": ("experiment=attack_survey", "attack=pgd", "experiment.targets=all"),
    "sweep": ("-m", "experiment=isotropy,symmetricity", "run.seed=0,1"),
    "sweep-one": ("-m", "experiment=isotropy", "run.seed=3,4"),
}
#: lines with a fault, of which some are found only when data and network are loaded
BAD = (
    "model=vgg61", "experiment=isotopy", "attack=fsg", "probe.radi=[1]", "probe.trials=x", "probe.trials=1", "run.seed=-1",
    "foo=1", "model", "lits", "plot nowhere", "resume nowhere", "describe nothing", "run.device=cuda:7", "attack=fgs",
    "experiment=attack_survey attack=hc1 attack.hot=99", "experiment=attack_survey attack=fgs attack.epsilon=-1",
    "experiment=attack_survey", "experiment=attack_survey attack=pgd attack.steps=0", "model.checkpoint=nothing.pt",
    "dataset=imagenet", "model=lenet_mnist model.input=[1,8,8]",
    "experiment=topology probe.layer=[nolayer] run.preset=tiny", "experiment=topology run.precision=bf16", "-x", "--plugin",
    "list modles", "run.seed=0,1", "experiment=attack_survey attack=foolbox_deepfool attack.attack=Nope run.preset=tiny",
    "experiment=attack_survey attack=art_deepfool attack.options={nope:1} run.preset=tiny",
)  # fmt: skip


def command_lines() -> dict[str, tuple[str, ...]]:
    """The name of each line, by which it is chosen and kept, and the arguments of `advlab`."""
    lines: dict[str, tuple[str, ...]] = {"plain": TINY}
    for experiment in choices("experiment"):
        if experiment != "attack_survey":
            lines[experiment] = (f"experiment={experiment}", *TINY, *NEEDS.get(experiment, ()))
    for attack in choices("attack"):
        targets = ("experiment.targets=random",) if attack in TARGETED else ()
        lines[f"survey-{attack}"] = ("experiment=attack_survey", f"attack={attack}", *TINY, *targets)
    lines |= {f"dry-{name}": (*line, "run.dry=true") for name, line in lines.items() if name != "plain"}
    for experiment in SPHERES:
        for direction in ("fgv", "deepfool"):
            keys = (f"experiment={experiment}", *TINY, f"probe.direction={direction}", "probe.trials=8")
            lines[f"{experiment}-{direction}"] = keys
    lines |= {name: (*keys, *TINY) for name, keys in VARIANTS.items()}
    lines |= {f"verb-{verb}": (verb,) for verb in ("list", "help", "--version")}
    described = {choice for group in components.REGISTRIES for choice in choices(group)}
    lines |= {f"describe-{choice}": ("describe", choice) for choice in sorted({*described, "run"})}
    lines |= {f"bad-{number:02d}": tuple(line.split(" ")) for number, line in enumerate(BAD)}
    return lines


def choices(group: str) -> list[str]:
    """All choices of a group of the configuration but `none`."""
    return [choice for choice in group_choices(group) if choice != "none"]
