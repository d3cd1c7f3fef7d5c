"""The errors that a user can mend: shown as one message with a remedy, never as a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AdvlabError(Exception):
    """A fault outside the program: the message names the fault and the remedy."""

    exit_code = 2


class ConfigError(AdvlabError):
    """A name, key, type or value of the configuration is wrong."""


class DataError(AdvlabError):
    """A dataset is missing, incomplete or corrupt."""


class ModelError(AdvlabError):
    """A network does not load, or does not fit its dataset or checkpoint."""


class ResultError(AdvlabError):
    """A run directory is missing, locked or does not match its manifest."""


class MeasurementError(AdvlabError):
    """The measurement has no meaning: nothing qualifies, or too many values are not finite."""


class Interrupted(BaseException):
    """SIGINT or SIGTERM arrived; a BaseException, so that no `except Exception` swallows it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """128 plus the signal's number, as shells report it: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.signum


def suggest(name: str, known: Iterable[str], limit: int = 12) -> str:
    """A sentence that offers the near names of `name` and lists what there is (at most `limit` names)."""
    names = sorted(set(known))
    lowered: dict[str, str] = {other.lower(): other for other in names}
    typed = name.lower()[:100]
    swapped = [other for other in names if sorted(other.lower()) == sorted(typed)]
    close = [lowered[n] for n in difflib.get_close_matches(typed, lowered, n=3, cutoff=0.5)]
    near = list(dict.fromkeys([*swapped, *close]))[:3]
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    if not names:
        return hint + "There are none."
    shown = names if len(names) <= limit else names[:limit]
    rest = "" if len(shown) == len(names) else f" and {len(names) - len(shown)} more"
    return f"{hint}There {'is' if len(names) == 1 else 'are'}: {', '.join(shown)}{rest}."


def shorten(text: str, limit: int = 3000) -> str:
    """`text`, or its beginning and its end (which holds the remedy) when it is longer than `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit // 2]} [...] {text[-limit // 2 :]}"
