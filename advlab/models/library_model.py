"""What networks of other libraries have in common as parameters of a configuration: a name there, and published weights."""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from advlab.errors import MissingPackageError
from advlab.models.base import Model


@dataclass(frozen=True, kw_only=True)
class PublishedModel(Model):
    """A network with published weights, which may be left out.

    Attributes:
        weights: which of them; `none`: a checkpoint or a recipe gives others.
    """

    weights: str

    @property
    def pretrained(self) -> bool:
        """Whether the published weights are loaded."""
        return self.weights != "none" and not self.checkpoint

    @property
    def trainable(self) -> bool:
        """Whether a recipe makes its weights."""
        return self.weights == "none" and not self.checkpoint


@dataclass(frozen=True, kw_only=True)
class LibraryModel(PublishedModel):
    """A network of another library by its name there.

    Attributes:
        arch: the name; near ones are offered for one that the library does not have.
    """

    arch: str

    package: ClassVar[str]  # as it is imported, and as the extra of advlab is called that brings it

    def check_files(self) -> None:
        """Refuse a checkpoint that is not there, a library that is not installed, and a name that it does not have.

        Raises:
            ModelError: names the file, or near names.
            MissingPackageError: says what to type.
        """
        super().check_files()
        if importlib.util.find_spec(self.package) is None:
            raise MissingPackageError(missing(self.package))
        self.check_name()

    @abstractmethod
    def check_name(self) -> None:
        """Refuse what the library does not have.

        Raises:
            ModelError: offers near names.
        """

    @abstractmethod
    def constants(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation by which the published weights take images in [0, 1]; empty: inside the network."""


def missing(package: str, error: BaseException | None = None) -> str:
    """What to type where a library cannot be imported."""
    fault = "is not installed" if error is None else f"does not import ({error})"
    return f'{package} {fault}: pip install "advlab[{package}]"'
