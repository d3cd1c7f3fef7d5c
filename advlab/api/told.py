"""Errors of a user's input, as a notebook or a script shows them: the call and the message, without the way in between."""

from __future__ import annotations

import functools
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from advlab.errors import AdvlabError

P = ParamSpec("P")
R = TypeVar("R")

#: where code lies that is not the user's
NOT_THE_USERS = tuple(
    str(Path(folder).resolve())
    for folder in (Path(__file__).parents[1], Path(__file__).parents[2] / "experiments", sysconfig.get_path("stdlib"),
                   sysconfig.get_path("purelib"), sys.base_prefix)
)  # fmt: skip


def told_shortly(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: what a user can mend is raised from here, and what caused it only where that is the user's own code.

    Any other error is a defect, and keeps its traceback. The log of a run says where a user's error arose.
    """

    @functools.wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            return function(*arguments, **options)
        except AdvlabError as error:
            raise error.with_traceback(None) from users_own(error.__cause__)

    return call


def users_own(cause: BaseException | None) -> BaseException | None:
    """The cause of an error, if it arose in code that a user has written: a plug-in, or a cell of a notebook."""
    if cause is None or isinstance(cause, AdvlabError):
        return None
    frames = traceback.extract_tb(cause.__traceback__)
    return cause if any(not frame.filename.startswith(NOT_THE_USERS) for frame in frames) else None
