"""The parser of a command's own arguments."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
from collections.abc import Sequence
from typing import Any, NoReturn

from advlab.cli.streams import require_printed
from advlab.errors import ConfigError


class HelpShown(SystemExit):
    """A command's help was printed, which is all that was asked for."""


class ParserFound(Exception):
    """The parser of a command, which was asked for in place of carrying the command out."""

    def __init__(self, parser: Parser) -> None:
        super().__init__()
        self.parser = parser


class Parser(argparse.ArgumentParser):
    """A command's parser, whose errors are messages with a remedy instead of an exit."""

    is_asked_for = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """What all ways of parsing come to."""
        if Parser.is_asked_for:
            raise ParserFound(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> Any:
        """Raise what argparse would print.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{self.prog}: {message}. {' '.join(self.format_usage().split())}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the command after its help.

        Raises:
            HelpShown: always.
        """
        require_printed()
        raise HelpShown(status)


def parser_of(verb: str) -> Parser | None:
    """The parser of a command, without carrying it out; None of one that has none of this kind."""
    module = importlib.import_module(f"advlab.cli.{verb}")
    Parser.is_asked_for = True
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            module.run(["--help"])
    except ParserFound as found:
        return found.parser
    except SystemExit:
        pass
    finally:
        Parser.is_asked_for = False
    return None


def wants_value(action: argparse.Action) -> bool:
    """Whether an option takes the word behind it."""
    return bool(action.option_strings) and action.nargs != 0


def positional_at(parser: Parser, words: Sequence[str]) -> argparse.Action | None:
    """The positional argument that a further word would be, behind these words of a command; None where none is left."""
    valued = {name for action in parser._actions if wants_value(action) for name in action.option_strings}
    before = ["", *words]
    given = sum(
        not word.startswith("-") and previous not in valued for previous, word in zip(before, words, strict=False)
    )
    for action in parser._actions:
        if action.option_strings:
            continue
        if action.nargs in ("*", "+"):
            return action
        if given == 0:
            return action
        given -= 1
    return None
