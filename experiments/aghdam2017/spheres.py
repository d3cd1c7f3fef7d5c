"""What the experiments on spheres share: their samples, cells and costs, and the (sample, reading, radius) of a table (eq 4)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

from advlab.attacks import DeepFool
from advlab.errors import ConfigError
from advlab.lab import Cell, Experiment, Frame, NetworkContext, Settings
from advlab.probes.sphere import Sphere

#: Samples are put into one cell while their perturbed images have at most so many pixel values: a second of a small
#: network's time, a minute of a large one's.
CELL_VALUES = 1 << 24


class SphereExperiment(Experiment[NetworkContext]):
    """An experiment on the perturbations of eq 4 around images that are classified with confidence.

    Cells are the same for all of them, so that one cached sweep serves all (`advlab.lab.kept_neighbourhood`). Behind a random
    defense the network of one draw is measured, the same for all images: ranges and quotients are then about the image, and
    not about what the defense draws.
    """

    uses: ClassVar[tuple[str, ...]] = ("dataset", "model", "probe")
    one_draw: ClassVar[bool] = True

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 30 samples, 10 from 200 pixels on; `tiny`: 3. Radii and T stay: the range grows with T."""
        if preset != "laptop":  # else a network of another library is asked for its size, which loads the library
            return {"probe.samples": 3} if preset == "tiny" else {}
        shape = dataset.shape(model.shape) if hasattr(model, "shape") else (3, 224, 224)
        return {"probe.samples": 10 if max(shape[1:]) >= 200 else 30}

    def check(self, settings: Settings) -> None:
        """The probe must be one of spheres.

        Raises:
            ConfigError: it is another.
        """
        if getattr(settings.probe, "radii", None) is None:
            raise ConfigError(
                f"{self.name} needs a probe of spheres: type probe=sphere, not {settings.nodes['probe']['name']}"
            )

    def prepare(self, ctx: NetworkContext) -> dict[str, Any]:
        """The samples that qualify."""
        return {"samples": ctx.qualified()}

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """Some samples a cell, as many as make a fixed amount of work."""
        probe, samples = ctx.settings.probe, ctx.prepared["samples"]
        work = len(probe.readings) * len(probe.radii) * probe.trials * math.prod(ctx.data.shape)
        size = max(1, CELL_VALUES // work)
        starts = range(0, len(samples), size)
        return [Cell(f"samples-{i:05d}", {"first": i, "samples": samples[i : i + size]}) for i in starts]


class ProbedSphere(NamedTuple):
    """One (sample, reading, radius) of a cell: its columns in a table, and its place in arrays of numbers.

    Attributes:
        columns: sample, label, norm, pixel_scale, direction, radius and trials, as all tables on spheres name them.
        place: indices of reading, sample (within the cell) and radius, the first axes of the sweep's arrays.
    """

    columns: dict[str, Any]
    place: tuple[int, int, int]

    def number(self, values: Any) -> Any:
        """The entry of nested lists (readings, samples, radii) for this sphere."""
        reading, sample, radius = self.place
        return values[reading][sample][radius]

    def numbers(self, values: dict[str, Any]) -> dict[str, Any]:
        """The entry of each of several such lists, by its name."""
        return {name: self.number(of_spheres) for name, of_spheres in values.items()}


def probed_spheres(probe: Sphere, samples: list[int], labels: list[int]) -> Iterator[ProbedSphere]:
    """Every (sample, reading, radius) of some samples, in the order of the rows of a table.

    Args:
        probe: readings, radii, trials and direction.
        samples: indices in the split.
        labels: their true classes.
    """
    for s, (sample, label) in enumerate(zip(samples, labels, strict=True)):
        for m, reading in enumerate(probe.readings):
            for k, radius in enumerate(probe.radii):
                columns = {
                    "sample": sample, "label": label, "norm": reading.norm, "pixel_scale": reading.pixel_scale,
                    "direction": probe.direction, "radius": radius, "trials": probe.trials,
                }  # fmt: skip
                yield ProbedSphere(columns, (m, s, k))


def rows_by_reading(table: Frame) -> Iterator[tuple[str, Frame]]:
    """The rows of each layer (where a table has layers), reading of the radius and direction, with the name of these.

    Claims call the rows by this name (`Claim.subset`): `l2, 0..1`, with the direction behind it where it is not random, and
    the layer where it is not `auto`.
    """
    keys = [name for name in ("layer", "norm", "pixel_scale", "direction") if name in table]
    for values, rows in table.groupby(keys, sort=False):
        key = {"layer": "auto", "direction": "random", **dict(zip(keys, values, strict=True))}
        name = f"{key['norm']}, 0..{key['pixel_scale']:g}"
        name += "" if key["direction"] == "random" else f", {key['direction']}"
        name += "" if key["layer"] == "auto" else f", {key['layer']}"
        yield name, rows


def sweep_forwards(ctx: NetworkContext) -> int:
    """Forwards of the shared sweep: readings x radii x T a sample, and its clean image."""
    probe = ctx.settings.probe
    return len(ctx.prepared["samples"]) * (len(probe.readings) * len(probe.radii) * probe.trials + 1)


def direction_cost(ctx: NetworkContext) -> tuple[int, int]:
    """Approximate forwards and backwards that the probe's directions take; none for random ones."""
    probe, samples = ctx.settings.probe, len(ctx.prepared["samples"])
    if probe.direction == "random":
        return 0, 0
    if probe.direction == "fgv":
        return samples * probe.trials, samples * probe.trials
    forwards, backwards = DeepFool(clip="none", candidates=0).estimated_cost(ctx.classifier.classes)
    return samples * probe.trials * forwards, samples * probe.trials * backwards


def samples_for_float64(probe: Sphere, cell: Cell) -> list[int]:
    """The samples of a cell that are among the run's first `probe.floor_samples`: float32 is compared with float64 on them."""
    samples: list[int] = cell.payload["samples"]
    return samples[: max(0, probe.floor_samples - cell.payload["first"])]


def linearised_directions(probe: Sphere) -> int:
    """Directions a sample that the Jacobian is multiplied with: unclipped, the readings scale the same directions."""
    return (len(probe.readings) if probe.clip else 1) * len(probe.radii) * probe.trials


def refuse_low_precision(name: str, settings: Settings) -> None:
    """Distances of features are compared in float32.

    Raises:
        ConfigError: the run is in bfloat16, whose rounding would pass for what the network does.
    """
    if settings.run.precision == "bf16":
        raise ConfigError(
            f"run.precision=bf16: {name} compares distances that bfloat16 rounds away: take float32 or tf32"
        )


def refuse_layers(name: str, settings: Settings) -> None:
    """A feature layer makes no sense where scores are read.

    Raises:
        ConfigError: `probe.layer` is set.
    """
    if settings.probe.layer != ["auto"]:
        raise ConfigError(f"probe.layer: {name} reads scores, not the features of a layer: leave it out")
