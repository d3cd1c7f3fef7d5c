"""What a reader of a figure would object to: text that is too small, that leaves the figure, or lies on other text."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.text import Text

TOLERANCE = 1.5  # pixels at 100 dots an inch: boxes of text have some air


def texts(figure: Any) -> list[Text]:
    """Every visible text of a figure, after it was drawn, of axes, legends and subfigures."""
    figure.draw_without_rendering()
    axes = figure.findobj(lambda artist: hasattr(artist, "xaxis"))  # also secondary axes, which are no Axes
    ticks: set[int] = set()  # texts of all ticks, of which those that are not drawn keep some former place
    drawn: set[int] = set()
    for one in axes:
        for axis in (one.xaxis, one.yaxis):
            ticks |= {id(text) for tick in axis.majorTicks + axis.minorTicks for text in (tick.label1, tick.label2)}
            if one.axison and one.get_visible():
                drawn |= {id(text) for tick in axis._update_ticks() for text in (tick.label1, tick.label2)}
    off = {id(text) for one in axes if not one.axison for axis in (one.xaxis, one.yaxis) for text in axis.findobj(Text)}
    return [
        text
        for text in figure.findobj(lambda artist: isinstance(artist, Text))
        if text.get_visible() and text.get_text().strip() and id(text) not in (ticks - drawn) | off
    ]


def smallest(found: list[Text]) -> float:
    """Size of the smallest text, in points."""
    return min(float(text.get_fontsize()) for text in found)


def faults(figure: Any, found: list[Text]) -> list[str]:
    """Which of a figure's texts leave it, and pairs of texts that lie on each other, in words."""
    said, boxes = [], []
    outer = figure.bbox
    for text in found:
        box = text.get_window_extent()
        if not (
            box.x0 >= outer.x0 - TOLERANCE
            and box.y0 >= outer.y0 - TOLERANCE
            and box.x1 <= outer.x1 + TOLERANCE
            and box.y1 <= outer.y1 + TOLERANCE
        ):
            said.append(f"{text.get_text()!r} leaves the figure")
        if text.get_rotation() % 90 == 0:  # the box of a slanted text is larger than the text
            boxes.append((text.get_text(), np.array([box.x0, box.y0, box.x1, box.y1])))
    for n, (one, first) in enumerate(boxes):
        for other, second in boxes[:n]:
            width, height = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
            if width > TOLERANCE and height > TOLERANCE:
                said.append(f"{one!r} lies on {other!r}")
    return said
