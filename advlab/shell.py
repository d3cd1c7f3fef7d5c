"""What a message prints for the user to paste into a shell: paths, overrides and commands that arrive as they are."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path


def shell_word(text: str) -> str:
    r"""A text as one word of a POSIX shell; control characters and undecodable bytes as bash, zsh and ksh write them.

    >>> print(shell_word("outputs/v001"), shell_word("my run"), shell_word("it's"), shell_word('$1 "a"'))
    outputs/v001 "my run" "it's" '$1 "a"'
    >>> print(shell_word("two\nlines"))
    $'two\nlines'
    """
    if any(not character.isprintable() for character in text):
        return f"$'{''.join(map(_ansi_c, text))}'"
    plain = shlex.quote(text)
    return plain if plain == text or re.search(r'["$`\\!]', text) else f'"{text}"'


def _ansi_c(character: str) -> str:
    named = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "'": r"\'", "\\": r"\\"}
    if character in named or character.isprintable():
        return named.get(character, character)
    return "".join(
        f"\\{byte:03o}" for byte in os.fsencode(character)
    )  # three octal digits: what follows is not swallowed


def shell_path(path: Path | str) -> str:
    """A path as one word that no command takes for a flag.

    >>> print(shell_path("-out/v001"))
    ./-out/v001
    """
    return shell_word(f"./{path}" if str(path).startswith("-") else str(path))


def command_to_resume(path: Path | str, *before: str) -> str:
    """The command that goes on with a run.

    Args:
        path: of its directory.
        before: words that stand before the verb, such as `--plugin` and its file.
    """
    return " ".join(["advlab", *map(shell_word, before), "resume", shell_path(path)])


def hydra_text(value: str) -> str:
    r"""A text as Hydra's grammar of overrides and OmegaConf's interpolations take it for itself, in quotation marks if need be.

    >>> print(hydra_text("images/x"), hydra_text("epoch=3.ckpt"), hydra_text("it's"), hydra_text("a${b}"), hydra_text("007"))
    images/x 'epoch=3.ckpt' 'it\'s' 'a\${b}' '007'
    """
    if re.fullmatch(r"[A-Za-z_./][\w./-]*", value, re.ASCII) and re.search(r"[/_-]", value):
        return value  # neither a number nor null, true, inf and the like
    value = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    value = re.sub(r"(\\*)'", r"\1\1\\'", value)  # before a quotation mark, and there alone, a backslash counts double
    value = re.sub(r"(\\+)$", r"\1\1", value)
    return f"'{value}'"


def typed_override(key: str, value: str) -> str:
    """`KEY=VALUE` as one word of a shell, whose value reaches the configuration as this very text.

    >>> print(typed_override("model.checkpoint", "epoch=3.ckpt"))
    "model.checkpoint='epoch=3.ckpt'"
    """
    return shell_word(f"{key}={hydra_text(value)}")
