"""`advlab completion`: what lets a shell complete lines of advlab at the tabulator key."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

from advlab.cli.main import VERBS, take_plugins
from advlab.cli.offers import offers, paths
from advlab.cli.parser import Parser
from advlab.cli.shell_scripts import SCRIPTS
from advlab.cli.streams import require_printed
from advlab.cli.typed_line import in_place, typed_line
from advlab.plugins.loading import load_plugins


def run(arguments: Sequence[str]) -> None:
    """`advlab completion bash|zsh|fish`: print a script; `advlab completion SHELL -- LINE [BREAKS]` is what it calls."""
    words = list(arguments)
    if "--" in words[:2] and len(words) > 2:
        for text in offered(words[0], *words[2:4]):
            print(text)
        return
    parser = Parser(
        prog="advlab completion",
        description="Print the script by which a shell completes commands, runs, groups, choices, keys and files. "
        'bash, zsh: eval "$(advlab completion bash)" in ~/.bashrc or ~/.zshrc; fish: advlab completion fish | source '
        "in ~/.config/fish/config.fish.",
    )
    parser.add_argument("shell", choices=tuple(SCRIPTS))
    print(SCRIPTS[parser.parse_args(words).shell].strip())
    require_printed()


def offered(shell: str, text: str, breaks: str = "") -> list[str]:
    """What a shell is to offer for a line up to the cursor; nothing where something is wrong, since it stands in a prompt."""
    line = typed_line(text)
    with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
        with contextlib.redirect_stdout(io.StringIO()):
            found = after_plugins(list(line.words[1:]), line.last)
        return [in_place(line, whole, shell, breaks) for whole in found if whole.startswith(line.last)]
    return []


def after_plugins(words: list[str], last: str) -> list[str]:
    """What a line may go on with, once its plug-ins are loaded."""
    if words[-1:] == ["--plugin"]:
        return paths(last, ".py")
    if last.startswith("--plugin="):
        return [f"--plugin={path}" for path in paths(last.removeprefix("--plugin="), ".py")]
    plugins, others = take_plugins(words)
    load_plugins([file for file in plugins if Path(file).is_file()])
    return offers(others, last, VERBS)
