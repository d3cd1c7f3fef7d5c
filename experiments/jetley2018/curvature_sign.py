"""Section 2.2 of jetley2018: does the sign of the boundary's mean curvature tell DeepFooled images from natural ones?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.lab import Cell, Cost, Experiment, Figure, Frame, InRange, NetworkContext, frame_of
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge

from ..aghdam2017.paired_shares import paired_difference
from .curvature_stages import measured_samples
from .paired_area import paired_area

IMAGES = 50  # of a cell
KINDS = ("natural", "adversarial", "noise")


@dataclass(frozen=True)
class CurvatureSignRow:
    """An image that is classified correctly, its DeepFool image, and it with noise of the same length."""

    sample: int  # index in the split
    label: int  # true class
    rival: int  # class of its DeepFool image
    length: float  # of DeepFool's perturbation, l2 of [0, 1] pixels
    natural: (
        float  # mean curvature, a pixel, of the boundary point nearest to the image by DeepFool; above 0: it bends away
    )
    adversarial: float  # likewise, seen from the DeepFool image and its class
    noise: float  # likewise, seen from the image with noise
    apart: float  # distance of the natural boundary point from the adversarial one, l2 of [0, 1] pixels


class CurvatureSign(Experiment[NetworkContext]):
    """The mean curvature of the boundary near natural and near DeepFooled images as a detector (section 2.2, after Fawzi et al.).

    From each image DeepFool goes to a boundary point z between the image's class k and another, l. With g = F_k - F_l the mean
    curvature there is the mean over random unit vectors v of [g(z + h v) - 2 g(z) + g(z - h v)] / h^2, over |grad g(z)|. Where
    both images find the same point, the signs are opposed by construction, since k and l are exchanged: `apart` tells. So what
    can make a detector is that natural images agree on one sign.
    """

    name: ClassVar[str] = "curvature_sign"
    paper: ClassVar[str] = "jetley2018, section 2.2"
    title: ClassVar[str] = "Sign of the boundary's mean curvature near natural and near DeepFooled images"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    one_draw: ClassVar[bool] = True
    Row: ClassVar[type] = CurvatureSignRow

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """What is measured, and the thresholds of the claims, which were fixed before anything was measured."""

        samples: Annotated[int, Ge(1)] = 500  # in the run's seeded order; those classified correctly count
        directions: Annotated[int, Ge(1)] = 100  # random ones an image
        #: h, as a root-mean-square change of the pixels: h = step sqrt(D); the authors' step on MNIST is .03 sqrt(D)
        step: Annotated[float, Gt(0)] = 0.03
        #: "typically reversed": share of images whose sign DeepFool reverses, less the share that noise of its length does, above
        reversed: Annotated[float, Gt(0), Lt(1)] = 0.5
        auc: Annotated[float, Gt(0.5), Lt(1)] = (
            0.8  # "a simple scheme to identify ... the attack": area under the ROC above
        )

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 200 images; `tiny`: 8 images and 10 directions."""
        return {
            "tiny": {"experiment.samples": 8, "experiment.directions": 10}, "laptop": {"experiment.samples": 200},
        }.get(preset, {})  # fmt: skip

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One for fifty images."""
        samples = measured_samples(ctx, self.params.samples)
        return [
            Cell(f"images-{first}", {"samples": samples[first : first + IMAGES]})
            for first in range(0, len(samples), IMAGES)
        ]

    def cost(self, ctx: NetworkContext) -> Cost:
        """DeepFool from three images, and two forwards a direction at three points."""
        count = len(measured_samples(ctx, self.params.samples))
        return Cost(forwards=count * 3 * (2 * self.params.directions + 5), backwards=count * 3 * 13)

    def claims(self, table: Frame) -> list[Claim]:
        """The statements of section 2.2, with noise instead of DeepFool's perturbation as the control."""
        statement = 'section 2.2: "a simple scheme to identify ... the attack"'
        return [
            judge(
                "sign-reversed", reversed_by_deepfool_alone(table), ">", self.params.reversed,
                subset="adversarial, less noise", statement='section 2.2: "the sign of the mean curvature ... in the vicinity of a '
                'DeepFooled image is typically reversed"', quantity="share of images whose sign DeepFool reverses, less the share "
                "whose sign noise of the same length does",
            ),
            *(
                judge(
                    "detects", area_against(table, kind), ">" if kind != "noise" else "<",
                    self.params.auc, subset=kind, statement=statement + (", and no other image" if kind == "noise" else ""),
                    quantity=f"area under the ROC of the mean curvature, natural against {kind} images",
                )
                for kind in KINDS[1:]
            ),
        ]  # fmt: skip

    def summary(self, table: Frame) -> Frame:
        """A line a run: medians, shares of positive curvature, areas under the ROC."""
        lines = []
        for run, rows in table.groupby("run", sort=False) if len(table) else []:
            line: dict[str, Any] = {"run": run, "images": len(rows), "median_apart": rows["apart"].median()}
            line |= {f"positive_{kind}": (rows[kind].dropna() > 0).mean() for kind in KINDS}
            for kind in KINDS[1:]:
                line[f"auc_{kind}"] = area_against(rows, kind).estimate
            lines.append(line)
        return frame_of(lines)

    def plot(self, table: Frame) -> Figure:
        """Distributions of the mean curvature, and the ROC."""
        from .figures.curvature_sign import curvature_sign

        return curvature_sign(table)


def reversed_by_deepfool_alone(table: Frame) -> Interval:
    """The share of images whose sign is reversed at their DeepFool image, less the share with a reversed sign at the noisy one.

    Of images with a curvature at all three. DeepFool's reversal alone can hardly fail: from both sides it finds the same point of
    the boundary, with the classes exchanged.
    """
    known = table.dropna(subset=list(KINDS))
    if not len(known):
        return NOT_MEASURED
    deepfool, noise = (known["natural"] * known[kind] < 0 for kind in KINDS[1:])
    counts = [int((a & b).sum()) for a in (deepfool, ~deepfool) for b in (noise, ~noise)]
    return paired_difference(*counts)


def area_against(table: Frame, kind: str) -> Interval:
    """The area under the ROC of the mean curvature, natural images against those of another kind.

    The sign that is natural is the one of most natural images: the scheme knows them.
    """
    natural, others = table["natural"], table[kind]
    if natural.notna().any() and natural.median() < 0:
        natural, others = -natural, -others
    return paired_area(natural, others)
