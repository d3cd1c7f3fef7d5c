"""timm's networks by their names there, with their pretrained weights, input size and normalisation; imports no timm itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge

from advlab.data.content import Shape
from advlab.errors import ArgumentError, MissingPackageError, ModelError, suggest
from advlab.models.library_model import LibraryModel, missing

if TYPE_CHECKING:  # loads torch, and models are listed and described without it
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Timm(LibraryModel):
    """A network of timm (Wightman 2019) by its name there: `pip install "advlab[timm]"`, then model=timm model.arch=resnet18.

    Input size, normalisation, crop and interpolation are those of its pretrained configuration. Pretrained weights are read
    from the cache of huggingface_hub (HF_HUB_CACHE) or of torch.hub (TORCH_HOME), and fetched to there if run.download=true.

    Attributes:
        arch: a name of timm.list_models() or timm.list_pretrained(), such as resnet18 or resnet18.a1_in1k.
        weights: tag of the pretrained weights, such as a1_in1k, whose normalisation and evaluation protocol hold for a
            checkpoint too; `default`: the tag in `arch`, or timm's first; `none`: no pretrained weights, then a checkpoint
            or a recipe gives them.
        input: channels, height and width of the images; empty: those of the pretrained configuration.
        classes: number of logits; 0: those of the pretrained configuration.
    """

    arch: str
    weights: str = "default"
    input: list[Annotated[int, Ge(1)]] = field(default_factory=list)
    classes: Annotated[int, Ge(0)] = 0

    package: ClassVar[str] = "timm"

    def __post_init__(self) -> None:
        """Refuse values out of range, and two tags of weights.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if len(self.input) not in (0, 3):
            raise ArgumentError(f"input must be [channels,height,width], got {self.input}")
        _, _, tag = self.arch.partition(".")
        if tag and self.weights not in ("default", "none", tag):
            raise ArgumentError(f"arch={self.arch} and weights={self.weights} name different weights: leave one out")

    @property
    def variant(self) -> str:
        """The name with the tag of its weights, as timm writes it."""
        if self.weights in ("default", "none") or "." in self.arch:
            return self.arch
        return f"{self.arch}.{self.weights}"

    @cached_property
    def configuration(self) -> Any:
        """timm's `PretrainedCfg` of the network.

        Raises:
            ModelError: timm has no such network or weights; near names are offered.
            MissingPackageError: timm cannot be imported.
        """
        try:
            import timm  # with torch, which describing a model must not wait for
        except ImportError as error:
            raise MissingPackageError(missing(self.package, error)) from error
        arch, _, tag = self.variant.partition(".")
        if not timm.is_model(arch):
            raise ModelError(f"timm has no network {arch!r}. {suggest(arch, timm.list_models())}")
        tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{arch}.*")]
        if tag and tag not in tags:
            raise ModelError(f"timm's {arch} has no weights {tag!r}. {suggest(tag, [*tags, 'none'])}")
        found = timm.get_pretrained_cfg(self.variant)
        if found is None and self.weights != "none":
            raise ModelError(f"timm has no weights of {arch}: type model.weights=none")
        return found if found is not None else timm.models.PretrainedCfg()

    def check_name(self) -> None:
        """Refuse a network that timm does not have, features without classes, and what pretrained weights are not for.

        Raises:
            ModelError: says what to type.
        """
        published = self.configuration
        if not self.classes and not published.num_classes:
            raise ModelError(
                f"timm's {self.variant} gives features and no classes: choose one that ends in _in1k, or type "
                "model.weights=none model.classes=..."
            )
        if not self.pretrained:
            return
        if self.classes not in (0, published.num_classes):
            raise ModelError(
                f"the pretrained weights of {self.variant} have {published.num_classes} classes: type model.weights=none for "
                f"model.classes={self.classes}"
            )
        if self.input and self.input[0] != published.input_size[0]:
            raise ModelError(
                f"the pretrained weights of {self.variant} take images of {published.input_size[0]} channels: type "
                f"model.weights=none for model.input={str(self.input).replace(' ', '')}"
            )

    @property
    def shape(self) -> Shape | None:
        """(C, H, W)."""
        channels, height, width = self.input or self.configuration.input_size
        return channels, height, width

    @property
    def class_count(self) -> int:
        """Number of logits."""
        return self.classes or int(self.configuration.num_classes)

    @property
    def crop(self) -> float:
        """Share of the resized shorter side that its evaluation protocol keeps."""
        return float(self.configuration.crop_pct or 1.0)

    @property
    def resample(self) -> str:
        """Interpolation of its evaluation protocol."""
        return "bilinear" if self.configuration.interpolation == "bilinear" else "bicubic"

    def constants(self) -> tuple[list[float], list[float]]:
        """See `LibraryModel.constants`."""
        return list(self.configuration.mean), list(self.configuration.std)

    def network(self, **options: Any) -> nn.Module:
        """The network, without weights unless `options` of timm.create_model give some."""
        channels, height, width = self.shape or (3, 224, 224)
        if self.configuration.fixed_input_size:  # others take images of any size, and no such option
            options["img_size"] = (height, width)
        import timm  # with torch, as above

        network: nn.Module = timm.create_model(
            self.variant, num_classes=self.class_count, in_chans=channels, **{"pretrained": False, **options}
        )
        return network
