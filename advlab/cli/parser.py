"""argparse with this project's errors."""

from __future__ import annotations

import argparse
from typing import Any

from advlab.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """argparse, with our errors."""

    def error(self, message: str) -> Any:
        """Raise what argparse would print.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{self.prog}: {message}. {' '.join(self.format_usage().split())}")
