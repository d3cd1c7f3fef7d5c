"""Table 1 of gunther2017: does training on adversarial images make them rarer, or their perturbations larger?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

from advlab.attacks import APGD, FGS, FGV, Attack, DeepFool, HotCold
from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cell, Cost, DataContext, Experiment, Figure, Frame, InRange, Settings, Stage, frame_of
from advlab.statistics import Claim, mean_interval
from advlab.training.recipe_text import parse_augmentation

from .adversarial_training_claims import Thresholds, by_seed, table_claims
from .fine_tuned_networks import ASCENT, BASE, MINIMAL, NETWORKS, TABLE_ATTACKS


@dataclass(frozen=True)
class AdversarialTrainingRow:
    """One attack, in one arithmetic, on one network of one seed; an image that is attacked towards k targets counts k times."""

    seed: int  # of the training
    network: str  # base, or what it was fine-tuned on: a key of NETWORKS
    attack: str  # fgs, fgv, hc (every other class is hot once), deepfool_refined or apgd
    arithmetic: str  # of the loss's gradient: exact, or float32 as the paper's; "" where there is one alone
    images: int  # attacked
    eligible: int  # of them, classified correctly
    successes: int  # of the eligible
    zero_gradient: int  # failures: the direction vanished
    no_flip_at_saturation: int  # failures: no weight flips the class
    other_failures: int
    saturated: int  # eligible images whose label has p = 1 in float32
    mean_pass: float  # PASS of the first successes; NaN: none was measured
    pass_images: int  # over so many
    median_l2: float  # of the successes' perturbations, pixels in [0, 1]
    transferred_of: int  # adversarial images of the base network whose originals this network classifies correctly
    transferred: int  # of them, those that fool it as well
    test_images: int  # on which the clean accuracy was measured
    test_correct: int
    iterations: int  # of the fine-tuning; of the base network: of its training
    trained_on: int  # images of the fine-tuning
    weights: str  # beginning of the digest of the network's


class AdversarialTraining(Experiment[DataContext]):
    """Table 1: a network fine-tuned on its own FGS, FGV or HC images, and on other images for as long.

    Each seed trains a base network by the run's recipe, makes adversarial images of its training set (one an image by FGS
    and FGV, one for each other class by HC; those that were found, with the originals' labels), and fine-tunes the base network
    on the images of one kind alone, by the same recipe from its start (caffe starts its schedule anew when weights are given;
    the paper says nothing). Controls are as many iterations on clean images, on images with noise whose signs are random and
    whose size is that of the image's FGS perturbation, and PGD training of the same number of gradients. All networks are
    attacked anew, in whole grey levels, in the exact arithmetic of the loss's gradient and in the paper's (float32); beside rates
    stand the smallest perturbation by refined DeepFool and the accuracy under Auto-PGD, since a rate of nearly one cannot fall
    by much, and a rate in float32 falls with every image whose label has p = 1.

    Statements about training are judged over seeds, at a share `scale` of the paper's iterations. At the paper's scale one seed
    takes half an hour on two cores: `experiment.seeds=1 experiment.scale=1` gives numbers beside the paper's, without verdict.
    """

    name: ClassVar[str] = "adversarial_training"
    paper: ClassVar[str] = "gunther2017, table 1"
    title: ClassVar[str] = "Networks fine-tuned on adversarial images, and controls"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = AdversarialTrainingRow
    summary_keys: ClassVar[tuple[str, ...]] = ("network", "attack", "arithmetic")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """Trainings, images and thresholds, which were fixed before anything was measured; six seeds are the fewest that decide."""

        networks: list[str] = field(default_factory=lambda: list(NETWORKS))
        seeds: Annotated[int, Ge(1)] = 6  # base networks, run.seed and those that follow
        scale: Annotated[float, Gt(0), Le(1)] = 0.2  # share of the iterations, of the recipe's and of those below
        iterations: Annotated[int, Ge(0)] = (
            20_000  # section 2.1, of fine-tuning on one adversarial image for each image
        )
        iterations_all: Annotated[int, Ge(0)] = 50_000  # on one for each image and other class
        train_images: Annotated[int, Ge(0)] = 0  # of the training set; 0: all
        #: how far beyond the smallest weight the training's images are; 1.05 is that of Rozsa et al. 2016
        beyond: Annotated[float, Ge(1), Lt(math.inf)] = 1.0
        arithmetic: Literal["exact", "float32"] = "exact"  # in which the training's FGS and FGV images are made
        pgd: str = "pgd_linf:0.1,0.025,8"  # the PGD training, as a recipe writes it
        test_images: Annotated[int, Ge(0)] = 0  # of the clean accuracy; 0: all
        images: Annotated[int, Ge(1)] = 1000  # test images that are attacked (the paper: all 10,000)
        pass_images: Annotated[int, Ge(0)] = 200  # whose PASS is measured
        strong_images: Annotated[int, Ge(1)] = 200  # attacked by refined DeepFool and Auto-PGD
        epsilon: Annotated[float, Gt(0)] = 1.5  # L2 radius of Auto-PGD
        #: claims: HC's rate above; change of PASS below
        hc_rate: Annotated[float, Gt(0), Lt(1)] = 0.95
        pass_change: Annotated[float, Gt(0), Lt(1)] = 0.05

        def __post_init__(self) -> None:
            """Refuse values out of range, unknown networks, and a PGD training that is none.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            unknown = [name for name in self.networks if name not in NETWORKS]
            if unknown:
                raise ArgumentError(f"networks: there is no {unknown[0]!r}; there are {', '.join(NETWORKS)}")
            if BASE not in self.networks or len(set(self.networks)) < len(self.networks):
                raise ArgumentError(f"networks must hold base and others, each once, got {self.networks}")
            if parse_augmentation(self.pgd)[0] != "pgd_linf":
                raise ArgumentError(f"pgd must be pgd_linf:EPSILON,STEP,STEPS, got {self.pgd!r}")

        def attacks(self) -> dict[tuple[str, str], Attack]:
            """(attack, arithmetic) -> its parameters, in the order of the table."""
            found: dict[tuple[str, str], Attack] = {}
            for arithmetic in ("exact", "float32"):
                found["fgs", arithmetic] = FGS(discrete=True, arithmetic=arithmetic)
                found["fgv", arithmetic] = FGV(discrete=True, arithmetic=arithmetic)
            found["hc", ""] = HotCold(discrete=True)
            found[MINIMAL, ""] = DeepFool(refine=True)
            found[ASCENT, "exact"] = APGD(norm="l2", epsilon=self.epsilon)
            return found

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: a fifth of the training images and a twentieth of the iterations; `tiny`: next to nothing."""
        keys = ("seeds", "scale", "train_images", "test_images", "images", "pass_images", "strong_images")
        sizes = {"tiny": (2, 0.0005, 100, 40, 10, 4, 4), "laptop": (6, 0.05, 12_000, 5000, 300, 100, 100)}.get(preset)
        return {} if sizes is None else {f"experiment.{key}": n for key, n in zip(keys, sizes, strict=True)}

    def check(self, settings: Settings) -> None:
        """The networks are trained here, by a recipe without adversarial images of its own.

        Raises:
            ConfigError: otherwise.
        """
        name, recipe = settings.nodes["model"]["name"], settings.recipe
        if not settings.model.trainable or settings.model.checkpoint:
            raise ConfigError(f"adversarial_training trains its networks, {name} has weights: choose another model")
        if not getattr(recipe, "trains", False):
            raise ConfigError(
                f"recipe=none: adversarial_training needs a recipe to train {name}: type recipe=lenet_mnist_paper_100k"
            )
        if recipe.adversary is not None:
            raise ConfigError(
                f"recipe={recipe.name} adds adversarial images of its own ({recipe.augment[-1]}): choose one without"
            )

    def prepare(self, ctx: DataContext) -> dict[str, Any]:
        """The test images, in a seeded order: the first are attacked."""
        return {"samples": ctx.order(max(self.params.images, self.params.test_images or len(ctx.data)))}

    def stages(self, ctx: DataContext) -> list[Stage]:
        """The base networks' adversarial images of the training set, and those of the test images."""
        return self.measurement().stages(self, ctx)

    def seeds(self, ctx: DataContext) -> range:
        """Of the trainings."""
        return range(ctx.settings.run.seed, ctx.settings.run.seed + self.params.seeds)

    def cells(self, ctx: DataContext) -> list[Cell]:
        """One a seed and network: its fine-tuning, and all attacks on it."""
        cells = []
        tests = [f"{attack}-{arithmetic}" for attack, arithmetic in self.params.attacks() if attack in TABLE_ATTACKS]
        for seed in self.seeds(ctx):
            for network in self.params.networks:
                needed = [f"test-{seed}-{name}" for name in tests]
                if attack := NETWORKS[network].attack:
                    needed.append(f"train-{seed}-{attack}")
                payload = {"seed": seed, "network": network}
                cells.append(Cell(f"seed-{seed}-{network}", payload, stages=tuple(needed)))
        return cells

    def cost(self, ctx: DataContext) -> Cost:
        """Trainings and attacks; the adversarial images of the base networks are counted by their stages."""
        params, recipe = self.params, ctx.settings.recipe
        train_images = params.train_images or 60_000  # MNIST's, where their number is not given
        steps = math.ceil(params.scale * recipe.total_steps(train_images))
        for network in params.networks:
            steps += self.fine_tuning_steps(network) if network != BASE else 0
        classes = len(ctx.data.classes)
        forwards = backwards = 0
        for (name, _), attack in params.attacks().items():
            images = params.images * (classes - 1 if name == "hc" else 1)
            images = params.strong_images if name in (MINIMAL, ASCENT) else images
            each = attack.estimated_cost(classes)
            forwards, backwards = forwards + images * each[0], backwards + images * each[1]
        networks = len(params.networks)
        trained = params.seeds * steps * recipe.batch_size
        return Cost(
            forwards=trained + params.seeds * networks * (forwards + len(ctx.prepared["samples"])),
            backwards=trained + params.seeds * networks * backwards,
        )

    def fine_tuning_steps(self, network: str) -> int:
        """Iterations of a fine-tuning; 0 leaves the base network."""
        params = self.params
        whole = params.iterations_all if NETWORKS[network].iterations == "all" else params.iterations
        return round(params.scale * whole)

    def claims(self, table: Frame) -> list[Claim]:
        """The conclusions of section 2.1, over seeds, and whether the perturbations grow."""
        return table_claims(table, Thresholds(hc_rate=self.params.hc_rate, pass_change=self.params.pass_change))

    def summary(self, table: Frame) -> Frame:
        """Table 1, a line for each network and attack: means over seeds, with their intervals."""
        lines = []
        for keys, part in table.groupby(["run", "network", "attack", "arithmetic"], sort=False, dropna=False):
            line = dict(zip(("run", "network", "attack", "arithmetic"), keys, strict=True)) | {"seeds": len(part)}
            for name, values in by_seed(part).items():
                mean = mean_interval(values)
                line |= {name: mean.estimate, f"{name}_low": mean.low, f"{name}_high": mean.high}
            lines.append(line)
        return frame_of(lines)

    def plot(self, table: Frame) -> Figure:
        """Rates, PASS, smallest perturbations and accuracies of all networks, a point for each seed."""
        from .figures.adversarial_training import fine_tuned_networks

        return fine_tuned_networks(table)
