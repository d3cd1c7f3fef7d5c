"""The parser of a command's own arguments."""

from __future__ import annotations

import argparse
from typing import Any

from advlab.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """A command's parser, whose errors are messages with a remedy instead of an exit."""

    def error(self, message: str) -> Any:
        """Raise what argparse would print.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{self.prog}: {message}. {' '.join(self.format_usage().split())}")
