"""The sphere probe of aghdam2017 (eq 4): uniform noise scaled to a list of radii around well-classified images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

from annotated_types import Ge, Gt, Interval, Lt

from advlab.config.ranges import InRange
from advlab.errors import ArgumentError


class RadiusReading(NamedTuple):
    """One reading of what the paper calls a radius: a norm, and the pixel value that stands for white."""

    norm: str  # l2 or linf
    pixel_scale: float  # 1: pixels in [0, 1]; 255: grey levels

    def __str__(self) -> str:
        norm = {"l2": "L2", "linf": "Linf"}[self.norm]
        return f"{norm} of 0..{self.pixel_scale:g}"


@dataclass(frozen=True, kw_only=True)
class Sphere(InRange):
    """Perturbations v ~ U(-1, 1)^D scaled to norm r, around images that are classified with confidence (section 2.1).

    The paper states neither the norm nor the pixel scale. Two readings are plausible, and both are measured on the
    same directions by default: the L2 norm of pixels in [0, 1], and the largest change in grey levels (0..255).

    Attributes:
        radii: epsilon (the first; its value is not stated, 0.1 here) and 1, ..., R with R = 20, ascending.
        trials: T perturbations a sample and radius; a range over T grows with T, and over one score is 0.
        samples: images that are probed.
        norm: l2 or linf, one a reading.
        pixel_scale: pixel value of white in the units of the radius, one a reading, paired with `norm`.
        clip: cut x + v to [0, 1]; off, because it changes the radius.
        confidence: softmax probability of the true class above which an image qualifies; it must be classified
            correctly as well.
        noise: device (drawn where the network runs, the fastest) or portable (numpy's PCG64DXSM, the same bits on
            every device); on the CPU both are the same.
        direction: of the perturbations. random: v as above. fgv or deepfool: the gradient of the loss, or DeepFool's
            perturbation, at T random starts near the image (see `spread`): directions that do lead out of the class.
        spread: Euclidean distance of those starts from the image, pixels in [0, 1].
        layer: the layers whose outputs are Phi_L, for experiments that read features. auto: the input of the
            classification layer, as in the paper; all: every layer in front of it.
        keep: isotropy keeps the distances that topology and lipschitz need, which then make no forwards of their own
            (with the paper's settings, 1.7 MB a sample in the artifact cache).
        floor_samples: samples on which float32 is compared with float64, at the smallest radius.
    """

    radii: list[Annotated[float, Gt(0)]] = field(default_factory=lambda: [0.1, *map(float, range(1, 21))])
    trials: Annotated[int, Interval(ge=2, le=1_000_000)] = 100
    samples: Annotated[int, Ge(1)] = 300
    norm: list[Literal["l2", "linf"]] = field(default_factory=lambda: ["l2", "linf"])
    pixel_scale: list[Annotated[float, Gt(0)]] = field(default_factory=lambda: [1.0, 255.0])
    clip: bool = False
    confidence: Annotated[float, Ge(0), Lt(1)] = 0.99
    noise: Literal["device", "portable"] = "device"
    direction: Literal["random", "fgv", "deepfool"] = "random"
    spread: Annotated[float, Gt(0)] = 1.0
    layer: list[str] = field(default_factory=lambda: ["auto"])
    keep: bool = True
    floor_samples: Annotated[int, Ge(0)] = 10

    def __post_init__(self) -> None:
        """Refuse values out of range, radii that do not rise, and layers and readings that are named twice.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if not self.radii or self.radii != sorted(set(self.radii)):
            raise ArgumentError(f"radii must be ascending and different, at least one, got {self.radii}")
        if len(self.radii) > 65535:
            raise ArgumentError(f"radii: at most 65535, got {len(self.radii)}")
        if not self.layer or len(set(self.layer)) < len(self.layer) or ("all" in self.layer and len(self.layer) > 1):
            raise ArgumentError(f"layer must name different layers, or be auto or all, got {self.layer}")
        if not self.norm or not self.pixel_scale:
            raise ArgumentError("norm and pixel_scale must not be empty")
        lengths = {len(self.norm), len(self.pixel_scale)}
        if len(lengths) == 2 and 1 not in lengths:
            raise ArgumentError(
                f"norm and pixel_scale are paired, one a reading: give as many of both, got {self.norm} and {self.pixel_scale}"
            )
        if len(set(self.readings)) < len(self.readings):
            raise ArgumentError(f"the readings must differ, got norm={self.norm} and pixel_scale={self.pixel_scale}")

    @property
    def readings(self) -> list[RadiusReading]:
        """The pairs of norm and pixel scale; the shorter list is repeated."""
        count = max(len(self.norm), len(self.pixel_scale))
        norms = self.norm * count if len(self.norm) == 1 else self.norm
        scales = self.pixel_scale * count if len(self.pixel_scale) == 1 else self.pixel_scale
        return [RadiusReading(norm, scale) for norm, scale in zip(norms, scales, strict=True)]
