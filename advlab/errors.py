"""The errors that a user can mend: shown as one message with a remedy, never as a traceback."""

from __future__ import annotations

import contextlib
import difflib
import re
import traceback
from collections.abc import Iterable, Iterator


class AdvlabError(Exception):
    """A fault outside the program: the message names the fault and the remedy."""

    exit_code = 2


class ConfigError(AdvlabError):
    """A name, key, type or value of the configuration is wrong."""


class ArgumentError(AdvlabError, ValueError):
    """An argument is out of range or does not fit the others: a user's fault, which no traceback explains better.

    Attacks, defenses and the parameters of components raise it. Any other ValueError is a defect of the code that raises
    it, and keeps its traceback.
    """


class Faults:
    """Faults of a configuration that are told together, so that mending one does not bring the next to light.

    >>> faults = Faults()
    >>> for number in (1, 2):
    ...     with faults.collected():
    ...         raise ConfigError(f"fault {number}")
    >>> faults.tell()
    Traceback (most recent call last):
    advlab.errors.ConfigError: fault 1; also: fault 2
    """

    def __init__(self) -> None:
        self._found: list[ConfigError] = []

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Keep a ConfigError of the block for `tell`."""
        try:
            yield
        except ConfigError as error:
            self._found.append(error)

    def tell(self) -> None:
        """Raise what was collected, if anything was; of many faults the first three.

        Raises:
            ConfigError: the faults.
        """
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            texts = [str(error).removesuffix(".") for error in self._found[:3]]
            more = f"; and {len(self._found) - 3} more" if len(self._found) > 3 else ""
            raise ConfigError("; also: ".join(texts) + more) from self._found[0]


class DataError(AdvlabError):
    """A dataset is missing, incomplete or corrupt."""


class ModelError(AdvlabError):
    """A network does not load, or does not fit its dataset or checkpoint."""


class ResultError(AdvlabError):
    """A run directory is missing, locked or does not match its manifest."""


class MeasurementError(AdvlabError):
    """The measurement has no meaning: nothing qualifies, or too many values are not finite."""


class MissingPackageError(AdvlabError, ImportError):
    """A package that only some results need cannot be imported."""


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
    """A sentence that offers the known names that are like `name`, and lists at most `limit` of them, the near ones first."""
    names = sorted(set(known))
    if not names:
        return "There are none."
    lowered: dict[str, str] = {known_name.lower(): known_name for known_name in names}
    lowered_name = name.lower()[:100]
    same_letters = [known_name for known_name in names if sorted(known_name.lower()) == sorted(lowered_name)]
    close = [lowered[match] for match in difflib.get_close_matches(lowered_name, lowered, n=3, cutoff=0.5)]
    near = list(dict.fromkeys([*same_letters, *close]))[:3]
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    listed = names[:limit] if len(names) <= limit or not near else [*near, *nearest(lowered_name, names, near)][:limit]
    return f"{hint}There {'is' if len(names) == 1 else 'are'}: {', '.join(listed)}{more}."


def nearest(name: str, names: Iterable[str], without: Iterable[str]) -> list[str]:
    """The other names, those that are most like `name` first.

    >>> nearest("resnet19", ["alexnet", "resnet34", "vgg16"], [])
    ['resnet34', 'alexnet', 'vgg16']
    """
    others = [other for other in names if other not in without]
    return sorted(others, key=lambda other: -difflib.SequenceMatcher(None, name, other.lower()).ratio())


#: groups that plug-ins add choices to
PLUGIN_GROUPS = ("dataset", "model", "defense", "attack", "experiment")


def suggest_choice(group: str, name: str, known: Iterable[str]) -> str:
    """As `suggest`, of the choices of a group: the name may also be that of a plug-in whose file was forgotten.

    >>> suggest_choice("model", "mycnn", ["nin"])
    'Did you mean nin? There is: nin. One of your own needs its file: advlab --plugin FILE.py model=mycnn'
    """
    said = suggest(name, known)
    return f"{said}{of_a_plugin(name, f'{group}={name}')}" if group in PLUGIN_GROUPS else said


def of_a_plugin(name: str, words: str) -> str:
    """That a choice of a user's own needs its file, with the words to type behind it; empty where no plug-in has such a name."""
    could_be = name != "none" and re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name)
    return f" One of your own needs its file: advlab --plugin FILE.py {words}" if could_be else ""


def is_weights_file(name: object) -> bool:
    """Whether what stands for a network is the name of a file that may hold its weights.

    >>> is_weights_file("weights/cnn.pt"), is_weights_file("cnn")
    (True, False)
    """
    return isinstance(name, str) and name.lower().endswith((".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".tar"))


def shorten(text: str, limit: int = 3000) -> str:
    """`text`, or its beginning and its end, which holds the remedy, when it is longer than `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit // 2]} [...] {text[-limit // 2 :]}"


def printable(text: str) -> str:
    """`text` on one line: signs that move the cursor or end a line, as names of files may hold, are spelt out.

    >>> print(printable("two\\nlines \\x1b[2J"), printable("é"))
    two\\nlines \\x1b[2J é
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def one_line(error: BaseException) -> str:
    """What an exception says, on one line; of one that says nothing, or whose text cannot be made, its kind.

    >>> one_line(ValueError("a\\n  b")), one_line(GeneratorExit())
    ('a b', 'GeneratorExit')
    """
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    return text or type(error).__name__


#: what a typo in a user's own code raises, or a file that it misses: told in one line; any other error is a defect of that code
MISTYPED = (NameError, AttributeError, TypeError, LookupError, ImportError, OSError, SyntaxError)


def where_it_failed(error: BaseException, file: str = "") -> str:
    """An error of a user's own code in words: its kind, what it says, and the line, of `file` where it passed through it."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if frame.filename == file), frames[-1])
    place, line = frame.filename, frame.lineno
    if isinstance(error, SyntaxError):
        place, line = error.filename or place, error.lineno or line
    text = error.msg if isinstance(error, SyntaxError) else one_line(error)
    text = "" if text == type(error).__name__ else f": {text}"
    return f"{type(error).__name__}{text} ({place}, line {line})"
