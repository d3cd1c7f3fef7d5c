"""Text from outside in labels."""

from __future__ import annotations

import pytest

from advlab.plotting.style import literal


def test_short_text_stays_and_markup_is_none() -> None:
    assert literal("lenet on digits", 15) == "lenet on digits"
    assert literal("a$b\n") == r"a\$b?"


@pytest.mark.parametrize("width", [18, 24, 25, 30])
def test_long_labels_keep_their_beginning_and_what_differs(width: int) -> None:
    shown = [literal(f"cifar_alexnet on cifar100 with blur, seed={n}", width) for n in (1, 2)]
    assert [len(text) for text in shown] == [width, width]
    assert shown[0] != shown[1]
    assert all(text.startswith("cifar") and "seed=" in text for text in shown)
