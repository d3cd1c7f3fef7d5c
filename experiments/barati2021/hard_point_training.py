"""Figure 5 of barati2021: a network trained with hard points on a third of the data beside one trained on all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le, Lt

from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cell, Cost, DataContext, Experiment, Figure, Frame, InRange, Settings, frame_of
from advlab.lab.trained_here import check_trains
from advlab.statistics import Claim

from .accuracy_over_seeds import summarise
from .hard_point_claims import control_claims, paper_claims
from .training_variants import ADVERSARIES, NETWORKS, REACH_IMAGES


@dataclass(frozen=True)
class HardPointRow:
    """The accuracy of one network on one kind of perturbed images."""

    seed: int  # of the training, and of the choice of the share
    victim: str  # the network that classifies: a key of NETWORKS
    source: str  # the network whose gradients moved the images; the victim itself: a direct attack
    #: one_step (the paper's), noise of the same length, pgd, or one_step_clipped: inside [0, 1], on PGD's images
    attack: str
    epsilon: float  # L2 norm of the perturbation, of pixels in [0, 1]
    length: float  # mean L2 norm of what came of it: below epsilon where clipped or without gradient; 0 where PGD has won before
    images: int
    correct: int
    ascent: str  # steps x step of the training points
    reach: float  # mean L2 distance at which they end up from their images, for the trained victim; NaN: it has none
    weights: str  # beginning of the digest of the victim's


class HardPointTraining(Experiment[DataContext]):
    """Section IV-C: is a network robust that was trained with points of high loss against its own features?

    The robust network sees a third of the training set, and with every batch the points that a few ascents on the hard
    objective reach from it, with the batch's labels. The paper compares it with a network trained on the whole set alone; the
    controls here are the same third without points, with noise as far away as each hard point, and PGD training that takes as
    many gradients. Each seed has its own third, initial weights and order; claims are about medians over seeds of paired
    differences, averaged over epsilon. What the paper leaves open (optimizer, ascent, range of epsilon) are options. Unless a
    recipe is typed, it is mlp_barati2021, and the model mlp.
    """

    name: ClassVar[str] = "hard_point_training"
    paper: ClassVar[str] = "barati2021, figure 5"
    title: ClassVar[str] = "Accuracy against perturbation of networks trained with and without hard points"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = HardPointRow

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """Training points, attacks and thresholds, which were fixed before anything was measured.

        Six seeds are the fewest that decide a claim about a median.
        """

        networks: list[str] = field(default_factory=lambda: ["reference", "third", "noise", "hard", "pgd"])
        seeds: Annotated[int, Ge(1)] = 6  # trainings of each, run.seed and those that follow
        share: Annotated[float, Gt(0), Le(1)] = 1 / 3  # of the training set: "a third of the full datasets"
        train_images: Annotated[int, Ge(0)] = 0  # of the whole training set; 0: all
        steps: Annotated[int, Ge(1)] = 5  # "a few gradient ascend steps"
        step: Annotated[float, Gt(0), Lt(math.inf)] = 0.5  # L2 norm of one, of pixels in [0, 1]; not in the paper
        epsilons: list[float] = field(default_factory=lambda: [i / 2 for i in range(11)])  # not in the paper
        clip: bool = False  # attacked images to [0, 1]; the paper's step is not clipped, and keeps its norm
        images: Annotated[int, Ge(0)] = 0  # test images of the one-step attack; 0: all
        #: of PGD and of the one step clipped, which are not in the paper; 0: neither
        pgd_images: Annotated[int, Ge(0)] = 1000
        pgd_steps: Annotated[int, Ge(1)] = 20  # each 2.5 / pgd_steps of epsilon
        #: "comparable performance": reference less robust clean accuracy below
        comparable: Annotated[float, Gt(0), Lt(1)] = 0.02
        #: share of the victim's own loss of accuracy that transferred images cause: above, or not
        transfers: Annotated[float, Gt(0), Lt(1)] = 0.5

        def __post_init__(self) -> None:
            """Refuse values out of range, unknown networks, and epsilons that do not rise from 0.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            unknown = [name for name in self.networks if name not in NETWORKS]
            if unknown:
                raise ArgumentError(f"networks: there is no {unknown[0]!r}; there are {', '.join(NETWORKS)}")
            if "reference" not in self.networks or len(set(self.networks)) < max(2, len(self.networks)):
                raise ArgumentError(f"networks must hold reference and others, each once, got {self.networks}")
            if sorted(set(self.epsilons)) != self.epsilons or len(self.epsilons) < 2 or self.epsilons[0] != 0:
                raise ArgumentError(f"epsilons must rise from 0, got {self.epsilons}")

        @property
        def ascent(self) -> str:
            """In words, for rows and titles."""
            return f"{self.steps} x {self.step:g}"

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: a fifth of MNIST's training images, 2000 test images; `tiny`: two seeds of next to nothing."""
        sizes = {"tiny": (900, 200, 50, 2), "laptop": (12_000, 2000, 200, 6)}.get(preset)
        keys = ("train_images", "images", "pgd_images", "seeds")
        return {} if sizes is None else {f"experiment.{key}": n for key, n in zip(keys, sizes, strict=True)}

    def check(self, settings: Settings) -> None:
        """The networks are trained here, by a recipe without training points of its own.

        Raises:
            ConfigError: otherwise.
        """
        recipe = settings.recipe
        check_trains(settings, "hard_point_training", recipe="mlp_barati2021")
        if recipe.adversary is not None:
            raise ConfigError(
                f"recipe={recipe.name} adds training points of its own ({recipe.augment[-1]}): choose one without, "
                "and type experiment.steps=... experiment.step=..."
            )

    def prepare(self, ctx: DataContext) -> dict[str, Any]:
        """The test images, in a seeded order."""
        return self.measurement().prepare(self, ctx)

    def cells(self, ctx: DataContext) -> list[Cell]:
        """One a seed and network: its training, and all that its gradients are used for."""
        first = ctx.settings.run.seed
        return [
            Cell(f"seed-{seed}-{network}", {"seed": seed, "network": network})
            for seed in range(first, first + self.params.seeds)
            for network in self.params.networks
        ]

    def cost(self, ctx: DataContext) -> Cost:
        """Trainings (of MNIST's 60,000 images, where their number is not given), attacks and classifications."""
        params = self.params
        train_images, images = params.train_images or 60_000, len(ctx.prepared["samples"])
        recipe = ctx.settings.recipe
        epochs = recipe.epochs or recipe.max_steps * recipe.batch_size / train_images
        passes = 0.0  # of the whole training set, by all networks of a seed in an epoch
        for network in params.networks:
            batches = {"reference": 1 / params.share, "third": 1}.get(network, 2)
            passes += params.share * (batches + (params.steps if network in ADVERSARIES else 0))
        training = int(params.seeds * epochs * train_images * passes)
        networks = params.seeds * len(params.networks)
        # each network on itself, to and from the reference, and under noise
        trials = 3 * len(params.networks) - 2 + len(params.networks)
        classified = params.seeds * len(params.epsilons) * images * trials
        pgd_steps = networks * len(params.epsilons) * min(params.pgd_images, images) * (params.pgd_steps + 2)
        gradients = networks * (images + 2 * params.steps * min(REACH_IMAGES, images))
        return Cost(forwards=training + classified + pgd_steps + gradients, backwards=training + pgd_steps + gradients)

    def claims(self, table: Frame) -> list[Claim]:
        """The statements of section IV-C, and the controls that they lack, over seeds."""
        params = self.params
        return [*paper_claims(table, params.comparable, params.transfers), *control_claims(table)]

    def summary(self, table: Frame) -> Frame:
        """Medians over seeds of every network's accuracies: clean, and averaged over epsilon under each attack."""
        groups = table.groupby(["run", "ascent"], sort=False)
        return frame_of([row for (run, ascent), part in groups for row in summarise(run, ascent, part)])

    def plot(self, table: Frame) -> Figure:
        """Figure 5's four curves, and the networks beside each other under the one-step attack and under PGD."""
        from .figures.hard_point_training import robustness_panels

        return robustness_panels(table)
