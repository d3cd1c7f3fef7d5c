"""Table 1 of gunther2017: does training on adversarial images make them rarer, or their perturbations larger?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

from advlab.attacks import APGD, FGS, FGV, Attack, DeepFool, HotCold
from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cell, Cost, DataContext, Experiment, Figure, Frame, InRange, Settings, Stage, frame_of
from advlab.lab.trained_here import check_trains
from advlab.statistics import Claim
from advlab.training.recipe_text import parse_augmentation

from .adversarial_training_claims import TrainingThresholds, by_seed, mean_over_seeds, table_claims
from .fine_tuned_networks import ASCENT, BASE, MINIMAL, NETWORKS, TABLE_ATTACKS, fine_tuning


@dataclass(frozen=True)
class AdversarialTrainingRow:
    """One attack, in one arithmetic, on one network of one seed; an image that is attacked towards k targets counts k times."""

    seed: int  # of the training
    network: str  # base, or what it was fine-tuned on: of NETWORKS, or a mixture such as fgs+fgv+hc
    attack: str  # fgs, fgv, hc (every other class is hot once), deepfool_refined or apgd
    arithmetic: str  # of the loss's gradient: exact, or float32 as the paper's; "" where there is one alone
    images: int  # attacked
    eligible: int  # of them, classified correctly
    successes: int  # of the eligible
    zero_gradient: int  # failures: the direction vanished
    no_flip_at_saturation: int  # failures: no weight flips the class
    other_failures: int
    saturated: int  # eligible images whose label has p = 1 in float32
    mean_pass: float  # PASS of the successes among the first images, of HC for one target each; NaN: none was measured
    pass_images: int  # over so many
    median_l2: float  # of the perturbations of eligible images, pixels in [0, 1]; a failure's is infinite
    transferred_of: int  # adversarial images of the base network whose originals this network classifies correctly
    transferred: int  # of them, those that fool it as well
    test_images: int  # on which the clean accuracy was measured
    test_correct: int
    iterations: int  # of the fine-tuning, steps of the optimizer; of the base network: of its training
    trained_on: int  # images that were trained on in these
    weights: str  # beginning of the digest of the network's


class AdversarialTraining(Experiment[DataContext]):
    """Table 1: a network fine-tuned on its own FGS, FGV or HC images, and on other images for as long.

    Each seed trains a base network by the run's recipe, makes adversarial images of its training set (one an image by FGS
    and FGV, one for each other class by HC; those that were found, with the originals' labels), and fine-tunes the base network
    on the images of one kind alone, or of a mixture, by the same recipe from its start (caffe starts its schedule anew when
    weights are given; the paper says nothing). Controls are as many iterations on clean images, on images with noise whose signs
    are random and whose size is that of the image's FGS perturbation, and PGD training of the same number of gradients. All
    networks are attacked anew, in whole grey levels, in the exact arithmetic of the loss's gradient and in the paper's (float32);
    beside rates stand the smallest perturbation by refined DeepFool and the accuracy under Auto-PGD, since a rate of nearly one
    cannot fall by much, and a rate in float32 falls with every image whose label has p = 1.

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
        """Trainings, images and thresholds, which were fixed before anything was measured; six seeds decide little."""

        networks: list[str] = field(default_factory=lambda: list(NETWORKS))
        seeds: Annotated[int, Ge(1)] = 8  # base networks, run.seed and those that follow
        #: share of the iterations below, and of the recipe's where it counts them (`max_steps`) and not epochs
        scale: Annotated[float, Gt(0), Le(1)] = 0.2
        #: section 2.1, of fine-tuning on one adversarial image for each image, and on one for each image and other class
        iterations: Annotated[int, Ge(0)] = 20_000
        iterations_all: Annotated[int, Ge(0)] = 50_000
        train_images: Annotated[int, Ge(0)] = 0  # that are made adversarial, or fine-tuned on as they are; 0: all
        #: how far beyond the smallest weight the training's images are, before they are rounded; 1.05 is that of Rozsa et al. 2016
        beyond: Annotated[float, Ge(1), Lt(math.inf)] = 1.0
        arithmetic: Literal["exact", "float32"] = "exact"  # in which the training's FGS and FGV images are made
        pgd: str = "pgd_linf:0.1,0.025,8"  # the PGD training, as a recipe writes it
        test_images: Annotated[int, Ge(0)] = 0  # of the clean accuracy; 0: all
        images: Annotated[int, Ge(1)] = 1000  # test images that are attacked (the paper: all 10,000)
        pass_images: Annotated[int, Ge(0)] = 200  # whose PASS is measured
        strong_images: Annotated[int, Ge(1)] = 200  # attacked by refined DeepFool and Auto-PGD
        epsilon: Annotated[float, Gt(0)] = 1.5  # L2 radius of Auto-PGD
        apgd_steps: Annotated[int, Ge(1)] = 100  # of each of its ascents
        #: claims: HC's rate above; change of PASS below
        hc_rate: Annotated[float, Gt(0), Lt(1)] = 0.95
        pass_change: Annotated[float, Gt(0), Lt(1)] = 0.05

        def __post_init__(self) -> None:
            """Refuse values out of range, unknown networks, and a PGD training that is none.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            for name in self.networks:
                fine_tuning(name)
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
            found[ASCENT, "exact"] = APGD(norm="l2", epsilon=self.epsilon, steps=self.apgd_steps)
            return found

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: six seeds, a tenth of the training images, a twentieth of the iterations; `tiny`: next to nothing."""
        keys = ("seeds", "scale", "train_images", "test_images", "images", "pass_images", "strong_images")
        sizes = {"tiny": (2, 0.0005, 100, 40, 10, 4, 4), "laptop": (6, 0.05, 6000, 5000, 200, 50, 50)}.get(preset)
        return {} if sizes is None else {f"experiment.{key}": n for key, n in zip(keys, sizes, strict=True)}

    def check(self, settings: Settings) -> None:
        """The networks are trained here, by a recipe without adversarial images of its own.

        Raises:
            ConfigError: otherwise.
        """
        recipe = settings.recipe
        check_trains(settings, "adversarial_training", recipe="lenet_mnist_paper_100k")
        if recipe.adversary is not None:
            raise ConfigError(
                f"recipe={recipe.name} adds adversarial images of its own ({recipe.augment[-1]}): choose one without"
            )

    def prepare(self, ctx: DataContext) -> dict[str, Any]:
        """The test images, in a seeded order: the first are attacked."""
        params = self.params
        return {"samples": ctx.order(max(params.images, params.strong_images, params.test_images or len(ctx.data)))}

    def stages(self, ctx: DataContext) -> list[Stage]:
        """The base networks' adversarial images of the training set, and those of the test images."""
        return self.measurement().stages(self, ctx)

    def seeds(self, ctx: DataContext) -> range:
        """Of the trainings."""
        return range(ctx.settings.run.seed, ctx.settings.run.seed + self.params.seeds)

    def cells(self, ctx: DataContext) -> list[Cell]:
        """One a seed and network: its fine-tuning, and all attacks on it."""
        tests = [f"{attack}-{arithmetic}" for attack, arithmetic in self.params.attacks() if attack in TABLE_ATTACKS]
        cells = []
        for seed in self.seeds(ctx):
            for network in self.params.networks:
                needed = [f"test-{seed}-{name}" for name in tests]
                needed += [f"train-{seed}-{attack}" for attack in fine_tuning(network).attacks]
                payload = {"seed": seed, "network": network}
                cells.append(Cell(f"seed-{seed}-{network}", payload, stages=tuple(needed)))
        return cells

    def cost(self, ctx: DataContext) -> Cost:
        """Trainings and attacks; what the attacks of the table take on the base networks is counted by the stages."""
        params, recipe, classes = self.params, ctx.settings.recipe, len(ctx.data.classes)
        steps = recipe.total_steps(len(ctx.load_split("train"))) * (params.scale if recipe.max_steps else 1)
        for name in params.networks:
            passes = 1 + self.pgd_steps if fine_tuning(name).images == "pgd" else 1
            steps += passes * self.fine_tuning_steps(name)
        trained = params.seeds * math.ceil(steps) * recipe.batch_size
        cost = Cost(trained + params.seeds * len(params.networks) * len(ctx.prepared["samples"]), trained)
        for (name, _), attack in params.attacks().items():
            of_table = name in TABLE_ATTACKS
            images = params.images * (classes - 1 if name == "hc" else 1) if of_table else params.strong_images
            images *= params.seeds * (len(params.networks) - of_table)
            forwards, backwards = attack.estimated_cost(classes)
            cost += Cost(images * forwards, images * backwards)
        return cost

    @property
    def pgd_steps(self) -> int:
        """Gradients that PGD takes for a batch, before the step of the optimizer."""
        return round(parse_augmentation(self.params.pgd)[1][2])

    def fine_tuning_steps(self, network: str) -> int:
        """Iterations of a fine-tuning, for PGD fewer by the gradients that its images take; 0 leaves the base network."""
        params, tuning = self.params, fine_tuning(network)
        whole = {"": 0, "one": params.iterations, "all": params.iterations_all}[tuning.iterations]
        steps = round(params.scale * whole)
        return math.ceil(steps / (1 + self.pgd_steps)) if tuning.images == "pgd" else steps

    def claims(self, table: Frame) -> list[Claim]:
        """The conclusions of section 2.1, over seeds, and whether the perturbations grow."""
        return table_claims(table, TrainingThresholds(hc_rate=self.params.hc_rate, pass_change=self.params.pass_change))

    def summary(self, table: Frame) -> Frame:
        """Table 1, a line for each network and attack: means over seeds, with their intervals."""
        lines = []
        for keys, part in table.groupby(["run", "network", "attack", "arithmetic"], sort=False, dropna=False):
            line = dict(zip(("run", "network", "attack", "arithmetic"), keys, strict=True)) | {"seeds": len(part)}
            for name, values in by_seed(part).items():
                mean = mean_over_seeds(values, least=0.0, most=math.inf if name == "l2" else 1.0)
                line |= {name: mean.estimate, f"{name}_low": mean.low, f"{name}_high": mean.high}
            lines.append(line)
        return frame_of(lines)

    def plot(self, table: Frame) -> Figure:
        """Rates, PASS, smallest perturbations and accuracies of all networks, a point for each seed."""
        from .figures.adversarial_training import fine_tuned_networks

        return fine_tuned_networks(table, {name: fine_tuning(name).words for name in table["network"]})
