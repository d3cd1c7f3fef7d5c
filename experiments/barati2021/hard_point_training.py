"""Figure 5 of barati2021: a network trained with hard points on a third of the data beside one trained on all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from advlab.lab.experiment import Cell, Cost, Experiment
from advlab.statistics.claims import Claim, judge
from advlab.statistics.intervals import median_interval

from .accuracy_over_seeds import Curves
from .attacks_on_networks import CHUNK, Counts, in_the_box, one_step
from .trained_networks import ADVERSARY, NETWORKS, REACHED, reach, trained_network

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from advlab.lab.context import Context


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


class HardPointTraining(Experiment):
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
    trains: ClassVar[bool] = True  # the run's model is trained here, in its variants, and not before the first cell
    gradients: ClassVar[bool] = True
    Row: ClassVar[type] = HardPointRow

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """Training points, attacks and thresholds, which were fixed before anything was measured.

        Six seeds are the fewest that decide a claim about a median.
        """

        networks: list[str] = field(default_factory=lambda: ["reference", "third", "noise", "hard", "pgd"])
        seeds: int = 6  # trainings of each, run.seed and those that follow
        share: float = 1 / 3  # of the training set: "a third of the full datasets"
        train_images: int = 0  # of the whole training set; 0: all
        steps: int = 5  # "a few gradient ascend steps"
        step: float = 0.5  # L2 norm of one, of pixels in [0, 1]; not in the paper
        epsilons: list[float] = field(default_factory=lambda: [i / 2 for i in range(11)])  # not in the paper
        clip: bool = False  # attacked images to [0, 1]; the paper's step is not clipped, and keeps its norm
        images: int = 0  # test images of the one-step attack; 0: all
        pgd_images: int = 1000  # of PGD and of the one step clipped, which are not in the paper; 0: neither
        pgd_steps: int = 20  # each 2.5 / pgd_steps of epsilon
        comparable: float = 0.02  # "comparable performance": reference less robust clean accuracy below
        #: share of the victim's own loss of accuracy that transferred images cause: above, or not
        transfers: float = 0.5

        def __post_init__(self) -> None:
            """Refuse values out of range.

            Raises:
                ValueError: names the field.
            """
            unknown = [name for name in self.networks if name not in NETWORKS]
            if unknown:
                raise ValueError(f"networks: there is no {unknown[0]!r}; there are {', '.join(NETWORKS)}")
            if "reference" not in self.networks or len(set(self.networks)) < max(2, len(self.networks)):
                raise ValueError(f"networks must hold reference and others, each once, got {self.networks}")
            if self.seeds < 1 or self.steps < 1 or self.pgd_steps < 1:
                raise ValueError("seeds, steps and pgd_steps must be at least 1")
            if not 0 < self.share <= 1:
                raise ValueError(f"share must be above 0 and at most 1, got {self.share}")
            if not 0 < self.step < math.inf:
                raise ValueError(f"step must be above 0, got {self.step}")
            if min(self.train_images, self.images, self.pgd_images) < 0:
                raise ValueError("train_images, images and pgd_images must be 0 or more")
            if sorted(set(self.epsilons)) != self.epsilons or len(self.epsilons) < 2 or self.epsilons[0] != 0:
                raise ValueError(f"epsilons must rise from 0, got {self.epsilons}")
            if not 0 < self.comparable < 1 or not 0 < self.transfers < 1:
                raise ValueError("comparable and transfers are shares between 0 and 1")

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

    def check(self, settings: Any) -> None:
        """The networks are trained here, by a recipe without training points of its own.

        Raises:
            ConfigError: otherwise.
        """
        from advlab.errors import ConfigError

        name, recipe = settings.nodes["model"]["name"], settings.recipe
        if not settings.model.trainable or settings.model.checkpoint:
            raise ConfigError(f"hard_point_training trains its networks, {name} has weights: choose another model")
        if not getattr(recipe, "trains", False):
            raise ConfigError(
                f"recipe=none: hard_point_training needs a recipe to train {name}: type recipe=mlp_barati2021"
            )
        if recipe.adversary is not None:
            raise ConfigError(
                f"recipe={recipe.name} adds training points of its own ({recipe.augment[-1]}): choose one without, "
                "and type experiment.steps=... experiment.step=..."
            )

    def prepare(self, ctx: Context) -> dict[str, Any]:
        """The test images, in a seeded order."""
        from advlab.probes.selection import order

        assert ctx.data is not None
        chosen = [int(i) for i in order(ctx.data, ctx.settings.run.seed)]
        return {"samples": chosen[: self.params.images or None]}

    def cells(self, ctx: Context) -> list[Cell]:
        """One a seed and network: its training, and all that its gradients are used for."""
        first = ctx.settings.run.seed
        return [
            Cell(f"seed-{seed}-{network}", {"seed": seed, "network": network})
            for seed in range(first, first + self.params.seeds)
            for network in self.params.networks
        ]

    def cost(self, ctx: Context) -> Cost:
        """Trainings (of MNIST's 60,000 images, where their number is not given), attacks and classifications."""
        p = self.params
        whole, images = p.train_images or 60_000, len(ctx.prepared["samples"])
        recipe = ctx.settings.recipe
        epochs = recipe.epochs or recipe.max_steps * recipe.batch_size / whole
        trained = 0.0
        for network in p.networks:
            batches = {"reference": 1 / p.share, "third": 1}.get(network, 2)
            trained += p.share * (batches + (p.steps if network in ADVERSARY else 0))
        training = int(p.seeds * epochs * whole * trained)
        victims = 3 * len(p.networks) - 2 + len(p.networks)  # itself, to and from the reference, and noise
        attacked = p.seeds * len(p.epsilons) * images * victims
        boxed = p.seeds * len(p.networks) * len(p.epsilons) * min(p.pgd_images, images)
        steps = boxed * (p.pgd_steps + 2)
        gradients = p.seeds * len(p.networks) * (images + 2 * p.steps * min(REACHED, images))
        return Cost(forwards=training + attacked + steps + gradients, backwards=training + steps + gradients)

    def measure(self, ctx: Context, cell: Cell) -> list[HardPointRow]:
        """The network attacked directly, and what its images do to the reference; the reference's, to all others."""
        from contextlib import ExitStack

        from advlab.models.classifier import frozen
        from advlab.models.forward import Execution, Forward

        p, run = self.params, ctx.settings.run
        seed, source = cell.payload["seed"], cell.payload["network"]
        execution = Execution(run.batch_size or CHUNK, "contiguous", run.precision)
        counts: Counts = {}
        networks: dict[str, Forward] = {}
        with ExitStack() as stack:
            for name in p.networks if source == "reference" else [source, "reference"]:
                classifier = trained_network(
                    ctx, name, seed=seed, share=p.share, train_images=p.train_images, steps=p.steps, step=p.step
                )
                stack.enter_context(frozen(classifier))
                networks[name] = Forward(classifier, execution)
            one_step(ctx, source, networks, counts)
            in_the_box(ctx, source, networks[source], counts)
            reaches = {
                name: reach(ctx, name, forward.classifier, steps=p.steps, step=p.step)
                for name, forward in networks.items()
            }
        for forward in networks.values():
            ctx.count(forwards=forward.images)
        weights = {name: forward.classifier.digest()[:12] for name, forward in networks.items()}
        return [
            HardPointRow(
                seed=seed, victim=victim, source="none" if attack == "noise" else source, attack=attack, epsilon=epsilon,
                length=length / images, images=images, correct=correct, ascent=p.ascent, reach=reaches[victim],
                weights=weights[victim],
            )
            for (victim, attack, epsilon), (images, correct, length) in counts.items()
        ]  # fmt: skip

    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """The statements of section IV-C, and the controls that they lack, over seeds."""
        p, curves = self.params, Curves(table)
        clean = curves.clean("reference") - curves.clean("hard")
        to_reference, from_reference = curves.damage("reference", "hard"), curves.damage("hard", "reference")
        direct, hard = curves.mean("reference"), curves.mean("hard")
        paper, controls, section = "figure 5", "controls", "section IV-C: "
        over = f"mean over epsilon up to {table['epsilon'].max():g}"
        return [
            judge(
                "comparable", median_interval(clean), "<", p.comparable, subset=paper,
                statement=section + '"gets a comparable performance with the reference network on the natural samples"',
                quantity="clean accuracy, reference less robust",
            ),
            judge(
                "robust-direct", median_interval(hard - direct), ">", 0, subset=paper,
                statement=section + '"more robust compared to the reference network" in the direct setting',
                quantity=f"accuracy under its own attack, robust less reference, {over}",
            ),
            judge(
                "robust-transfer",
                median_interval(curves.mean("hard", "reference") - curves.mean("reference", "hard")), ">", 0,
                subset=paper, statement=section + "the same in the transfer setting",
                quantity=f"accuracy under the other's attack, robust less reference, {over}",
            ),
            judge(
                "transfers-to-reference", median_interval(to_reference), ">", p.transfers, subset=paper,
                statement='figure 5: "adversarial examples of the adversarially trained network does transfer"',
                quantity="accuracy that the reference loses to the robust network's images, of what it loses to its own",
            ),
            judge(
                "not-vice-versa", median_interval(from_reference), "<", p.transfers, subset=paper,
                statement='figure 5: "but not vice versa"',
                quantity="accuracy that the robust network loses to the reference's images, of what it loses to its own",
            ),
            judge(
                "beyond-noise",
                median_interval(curves.damage("reference", "hard") - curves.damage("reference", "none")), ">", 0,
                subset=controls, statement="control: the transfer to the reference is more than the length of a perturbation",
                quantity="the share that the reference loses to the robust network's images, less that to noise",
            ),
            *(
                judge(
                    f"above-{name}", median_interval(hard - curves.mean(name)), ">", 0, subset=controls,
                    statement=f"control: {NETWORKS[name]}",
                    quantity=f"accuracy under its own attack, robust less {name}, {over}",
                )
                for name in ("third", "noise", "pgd")
            ),
            judge(
                "pgd-above-pgd", median_interval(curves.mean("hard", attack="pgd") - curves.mean("pgd", attack="pgd")), ">",
                0, subset=controls, statement="control: PGD training of the same cost, attacked by PGD",
                quantity=f"accuracy under PGD, robust less pgd, {over}",
            ),
        ]  # fmt: skip

    def summary(self, table: pd.DataFrame) -> pd.DataFrame:
        """Medians over seeds of every network's accuracies: clean, and averaged over epsilon under each attack."""
        import pandas as pd

        lines = []
        for (run, ascent), part in table.groupby(["run", "ascent"], sort=False):
            curves = Curves(part)
            for name in dict.fromkeys(part["victim"]):
                numbers = {
                    "clean": curves.clean(name), "one_step": curves.mean(name), "pgd": curves.mean(name, attack="pgd"),
                    "one_step_clipped": curves.mean(name, attack="one_step_clipped"),
                    "noise": curves.mean(name, "none", attack="noise"),
                    "images_of_reference": curves.mean(name, "reference"),
                    "reference_on_its_images": curves.mean("reference", name),
                }  # fmt: skip
                line = {"run": run, "ascent": ascent, "network": name, "seeds": part["seed"].nunique()}
                line["reach"] = part.loc[part["victim"] == name].groupby("seed")["reach"].first().median()
                for key, values in numbers.items():
                    found = median_interval(values)
                    line |= {key: found.estimate, f"{key}_low": found.low, f"{key}_high": found.high}
                lines.append(line)
        return pd.DataFrame(lines)

    def plot(self, table: pd.DataFrame) -> Figure:
        """Figure 5's four curves, and the networks beside each other under the one-step attack and under PGD."""
        from .figures.hard_point_training import robustness_panels

        return robustness_panels(table)
