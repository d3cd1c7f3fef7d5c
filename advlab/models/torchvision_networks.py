"""torchvision's classifiers by name, with their published weights, hashes checked; the names need no torchvision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge

from advlab.data.content import Shape
from advlab.errors import ArgumentError, ModelError, suggest
from advlab.models.library_model import PublishedModel

if TYPE_CHECKING:  # loads torch, and models are listed and described without it
    from torch import Tensor, nn

# Evaluation protocol of the first published weights: (crop size, resize size) in pixels; 224 of 256 for all others.
PROTOCOLS: dict[str, tuple[int, int]] = {
    "convnext_base": (224, 232), "convnext_large": (224, 232), "convnext_small": (224, 230), "convnext_tiny": (224, 236),
    "efficientnet_b1": (240, 256), "efficientnet_b2": (288, 288), "efficientnet_b3": (300, 320),
    "efficientnet_b4": (380, 384), "efficientnet_b5": (456, 456), "efficientnet_b6": (528, 528),
    "efficientnet_b7": (600, 600), "efficientnet_v2_l": (480, 480), "efficientnet_v2_m": (480, 480),
    "efficientnet_v2_s": (384, 384), "inception_v3": (299, 342), "maxvit_t": (224, 224), "mnasnet0_75": (224, 232),
    "mnasnet1_3": (224, 232), "regnet_y_128gf": (384, 384), "resnext101_64x4d": (224, 232),
    "shufflenet_v2_x1_5": (224, 232), "shufflenet_v2_x2_0": (224, 232), "swin_b": (224, 238), "swin_s": (224, 246),
    "swin_t": (224, 232), "swin_v2_b": (256, 272), "swin_v2_s": (256, 260), "swin_v2_t": (256, 260),
    "vit_h_14": (518, 518), "vit_l_16": (224, 242),
}  # fmt: skip

# Networks whose first published weights are evaluated on bicubically resized images, as are all weights named SWAG; images
# of the others are resized bilinearly.
BICUBIC = (
    "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4", "efficientnet_b5",
    "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_l", "maxvit_t", "regnet_y_128gf", "swin_b", "swin_s",
    "swin_t", "swin_v2_b", "swin_v2_s", "swin_v2_t", "vit_h_14",
)  # fmt: skip


def protocol(arch: str, weights: str) -> tuple[int, int, str]:
    """(crop size, resize size, interpolation) of the evaluation of published weights, known without torchvision."""
    crop, resize = PROTOCOLS.get(arch, (224, 256))
    if "SWAG" in weights:
        sizes = {"vit_l_16": 512, "vit_h_14": 518} if "E2E" in weights else {}
        size = sizes.get(arch, 384 if "E2E" in weights else 224)
        return size, size, "bicubic"
    if weights == "IMAGENET1K_V2":
        return (240, 255, "bilinear") if arch == "efficientnet_b1" else (crop, 232, "bilinear")
    return crop, resize, "bicubic" if arch in BICUBIC else "bilinear"


OTHERS = (
    "alexnet", "densenet121", "densenet161", "densenet169", "densenet201", "efficientnet_b0", "googlenet",
    "mnasnet0_5", "mnasnet1_0", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "regnet_x_16gf",
    "regnet_x_1_6gf", "regnet_x_32gf", "regnet_x_3_2gf", "regnet_x_400mf", "regnet_x_800mf", "regnet_x_8gf",
    "regnet_y_16gf", "regnet_y_1_6gf", "regnet_y_32gf", "regnet_y_3_2gf", "regnet_y_400mf", "regnet_y_800mf",
    "regnet_y_8gf", "resnet101", "resnet152", "resnet18", "resnet34", "resnet50", "resnext101_32x8d",
    "resnext50_32x4d", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "squeezenet1_0", "squeezenet1_1", "vgg11",
    "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "vit_b_16", "vit_b_32",
    "vit_l_32", "wide_resnet101_2", "wide_resnet50_2",
)  # fmt: skip

NAMES = tuple(sorted([*PROTOCOLS, *OTHERS]))


@dataclass(frozen=True, kw_only=True)
class Torchvision(PublishedModel):
    """A classifier of torchvision.

    Attributes:
        weights: a name of its published weights, such as IMAGENET1K_V1 (the ones of its paper, the default where they
            exist), whose input normalisation and evaluation protocol hold for a checkpoint too; `none`: no published
            weights, then a checkpoint or a recipe gives them.
        classes: number of logits; other than 1000 needs `weights: none` or a checkpoint.
        size: height and width of the input; 0: that of the published evaluation protocol.
    """

    weights: str = "IMAGENET1K_V1"
    classes: Annotated[int, Ge(2)] = 1000
    size: Annotated[int, Ge(0)] = 0

    arch: ClassVar[str]

    def __post_init__(self) -> None:
        """Refuse values out of range, and classes that the published weights do not have.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if self.classes != 1000 and self.pretrained:
            raise ArgumentError(
                f"the published weights have 1000 classes: type model.weights=none for classes={self.classes}"
            )

    @property
    def crop(self) -> float:
        """Share of the resized shorter side that the published protocol keeps."""
        size, resized, _ = protocol(self.arch, self.weights)
        return size / resized

    @property
    def resample(self) -> str:
        """Interpolation of the published protocol."""
        return protocol(self.arch, self.weights)[2]

    @property
    def shape(self) -> Shape | None:
        """(3, H, W)."""
        size = self.size or protocol(self.arch, self.weights)[0]
        return 3, size, size

    @property
    def class_count(self) -> int:
        """Number of logits."""
        return self.classes

    def entry(self) -> Any:
        """The published weights as torchvision describes them (file, normalisation).

        Raises:
            ModelError: there are none of that name; those that exist are listed.
        """
        from torchvision.models import get_model_weights  # with torch, which describing a model must not wait for

        published = {entry.name: entry for entry in get_model_weights(self.arch)}
        default = "IMAGENET1K_V1"
        if self.weights == default and default not in published:
            return get_model_weights(self.arch).DEFAULT
        if self.weights not in published:
            suggestion = suggest(self.weights, [*published, "none"])
            raise ModelError(f"{self.arch} has no weights {self.weights!r}. {suggestion}")
        return published[self.weights]

    def network(self) -> nn.Module:
        """The network without weights, built as its published weights want it."""
        from torchvision.models import get_model  # with torch, as above

        options: dict[str, Any] = {"num_classes": self.classes}
        if self.arch in ("googlenet", "inception_v3"):  # their builders set these only along with weights
            options.update(init_weights=self.trainable, transform_input=self.weights != "none", aux_logits=False)
        if self.arch.startswith("vit"):
            options["image_size"] = self.size or protocol(self.arch, self.weights)[0]
        network: nn.Module = get_model(self.arch, weights=None, **options)
        return network

    def fitted(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A state dict of published weights with the names that the network has.

        The auxiliary heads of GoogLeNet and Inception serve training alone; DenseNets write `norm.1` for `norm1`.
        """
        if self.arch in ("googlenet", "inception_v3"):
            return {
                name: value for name, value in state.items() if not name.startswith(("aux1.", "aux2.", "AuxLogits."))
            }
        if self.arch.startswith("densenet"):
            return {re.sub(r"\.(norm|relu|conv)\.([12])\.", r".\1\2.", name): value for name, value in state.items()}
        return dict(state)


def __getattr__(name: str) -> type[Torchvision]:
    """One parameter class a name, made when it is asked for."""
    if name in NAMES:
        return type(
            name, (Torchvision,), {"arch": name, "__doc__": f"torchvision's {name} with its published weights."}
        )
    raise AttributeError(name)
