"""A line as it is typed into a shell, up to the cursor: its words, and what a shell puts in the place of the last."""

from __future__ import annotations

import re
from dataclasses import dataclass

QUOTES = "'\""


@dataclass(frozen=True)
class TypedLine:
    """A line up to the cursor.

    Attributes:
        words: those that are finished, without quotation marks and backslashes; the command's name is the first.
        last: the word at the cursor, which may be empty; likewise.
        typed: the last word as it stands.
        quote: the quotation mark in which the cursor stands; empty outside.
    """

    words: tuple[str, ...]
    last: str
    typed: str
    quote: str


def typed_line(text: str) -> TypedLine:
    r"""Split a line that may end in the midst of a word.

    >>> typed_line("advlab plot my\\ ru")
    TypedLine(words=('advlab', 'plot'), last='my ru', typed='my\\ ru', quote='')
    >>> typed_line("advlab 'a b' ").words
    ('advlab', 'a b')
    """
    words: list[str] = []
    last, begun, start, quote, position = "", False, 0, "", 0
    while position < len(text):
        sign = text[position]
        if not quote and sign.isspace():
            if begun:
                words.append(last)
            last, begun, start = "", False, position + 1
        elif not quote and sign in QUOTES:
            quote, begun = sign, True
        elif sign == quote:
            quote = ""
        elif sign == "\\" and quote != "'" and position + 1 < len(text):
            position += 1
            last, begun = last + text[position], True
        else:
            last, begun = last + sign, True
        position += 1
    return TypedLine(tuple(words), last, text[start:], quote)


def in_place(line: TypedLine, offered: str, shell: str, breaks: str = "") -> str:
    r"""What the shell is to put in the place of the last word.

    Args:
        line: what is typed.
        offered: the whole word; with a space at its end, where nothing can follow it.
        shell: bash, zsh or fish.
        breaks: the signs behind which bash takes a new word to begin (COMP_WORDBREAKS).

    >>> in_place(typed_line("advlab model=le"), "model=lenet ", "bash", "=:")
    'lenet '
    >>> in_place(typed_line("advlab plot my"), "my runs/", "zsh")
    'my\\ runs/'
    """
    word = offered.rstrip(" ")
    end = offered[len(word) :]
    if shell == "fish":  # which escapes for itself, and puts a space behind a word that ends in none of = / ,
        return word
    if not line.quote:
        word = re.sub(r"([^\w@%+=:,./~\[\]{}-])", r"\\\1", word)
    if shell == "bash":
        before = line.typed if not line.quote else line.last
        breaking = [
            n + 1 for n, sign in enumerate(before) if sign in breaks and sign not in QUOTES and not sign.isspace()
        ]
        word = word[max(breaking, default=0) :]
    return word + end
