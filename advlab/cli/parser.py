"""The parser of a command's own arguments."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from advlab.cli.streams import require_printed
from advlab.errors import ConfigError


class HelpShown(SystemExit):
    """A command's help was printed, which is all that was asked for."""


class Parser(argparse.ArgumentParser):
    """A command's parser, whose errors are messages with a remedy instead of an exit."""

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
