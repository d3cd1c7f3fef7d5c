"""The command that a manifest names: as it was typed, its plug-ins, and whether it was a program of a user's own."""

from __future__ import annotations

import itertools
import shlex
from typing import Any

from advlab.config.groups import RUN
from advlab.results.differences import ABOUT_THE_START

#: words of a command line that say where files lie and how a sweep is kept
START = ("hydra.", *(f"{RUN}.{key}=" for key in ABOUT_THE_START))
LONGEST_COMMAND = 4000
COMMANDS = ("advlab", "__main__.py")  # the program, as a manifest names it


def typed_command(words: Any) -> str:
    """The command line that a manifest names, without what says where files lie; empty where it makes no run.

    A run that was resumed names the resumption, one that was started from Python the program that did it.
    """
    if isinstance(words, str):  # a published result names it as text
        return words[:LONGEST_COMMAND] if words.startswith("advlab ") else ""
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        return ""
    if words[0] not in COMMANDS or words[1:2] == ["resume"]:
        return ""
    typed = ["-m" if word == "--multirun" else word.lstrip("+") for word in words[1:]]
    kept = [word for word in typed if not word.startswith(START)]
    return shlex.join(["advlab", *kept])[:LONGEST_COMMAND]


def is_from_python(words: Any) -> bool:
    """Whether a manifest names a program other than advlab."""
    return isinstance(words, list) and bool(words) and words[0] not in COMMANDS


def plugins_in(words: Any) -> list[str]:
    """`--plugin FILE` of the command that a manifest names, each as two words.

    >>> plugins_in(["advlab", "--plugin", "a.py", "model=a", "--plugin=b.py"]), plugins_in(None)
    (['--plugin', 'a.py', '--plugin', 'b.py'], [])
    """
    if not isinstance(words, list) or not words or words[0] not in COMMANDS:
        return []
    text = [str(word) for word in words]
    after = [file for word, file in itertools.pairwise(text) if word == "--plugin"]
    joined = [word.removeprefix("--plugin=") for word in text if word.startswith("--plugin=")]
    return [word for file in (*after, *joined) for word in ("--plugin", file)]
