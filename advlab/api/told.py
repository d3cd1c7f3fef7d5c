"""Errors of a user's input, as a notebook or a script shows them: the call and the message, without the way in between."""

from __future__ import annotations

import functools
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from advlab.errors import AdvlabError

P = ParamSpec("P")
R = TypeVar("R")

OWN_FILE = re.compile(r"needs its file: advlab --plugin FILE\.py (\w+)=([\w-]+)")
RUN_OPTION = re.compile(r"\brun\.(\w+)=((?:true|false|null)\b)?", re.ASCII)
PYTHON = {"true": "True", "false": "False", "null": "None"}

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
            said_for_python(error)
            raise error.with_traceback(None) from users_own(error.__cause__)

    return call


def said_for_python(error: AdvlabError) -> None:
    """Put what a message says in the terminal's words into those of a call; the error is changed in place."""
    error.args = tuple(in_python(part) if isinstance(part, str) else part for part in error.args)
    if isinstance(error, ImportError) and isinstance(error.msg, str):  # whose text is not that of its arguments
        error.msg = in_python(error.msg)


def in_python(message: str) -> str:
    """A message of the command line as a call's.

    >>> in_python("name the folder by run.data_root=..., or allow it with run.download=true")
    'name the folder by data_root=..., or allow it with download=True'
    >>> in_python("One of your own needs its file: advlab --plugin FILE.py model=mycnn")
    "One of your own must be registered before: @advlab.model('mycnn', ...)"
    """
    message = OWN_FILE.sub(r"must be registered before: @advlab.\1('\2', ...)", message)
    return RUN_OPTION.sub(lambda found: f"{found[1]}={PYTHON.get(found[2] or '', found[2] or '')}", message)


def users_own(cause: BaseException | None) -> BaseException | None:
    """The cause of an error, if it arose in code that a user has written: a plug-in, or a cell of a notebook."""
    if cause is None or isinstance(cause, AdvlabError):
        return None
    frames = traceback.extract_tb(cause.__traceback__)
    return cause if any(not frame.filename.startswith(NOT_THE_USERS) for frame in frames) else None
