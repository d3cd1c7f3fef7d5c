"""When cyclic garbage is looked for."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from advlab import collection


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    """Python as it is by itself, before and after."""
    assert gc.isenabled()
    yield
    gc.enable()
    gc.unfreeze()


class Cycle:
    """Refers to itself."""

    def __init__(self) -> None:
        self.own = self


def test_a_pause_ends_with_its_block_whatever_ends_it() -> None:
    with collection.paused():
        with collection.paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), collection.paused():
        raise KeyError
    assert gc.isenabled()


def test_what_the_user_has_switched_off_stays_off() -> None:
    gc.disable()
    with collection.paused():
        pass
    collection.settle()
    assert not gc.isenabled()
    collection.hold()
    collection.settle()
    assert not gc.isenabled()


def test_settling_spares_what_is_there_and_collects_what_comes() -> None:
    collection.hold()
    assert not gc.isenabled()
    before = Cycle()
    watched = weakref.ref(before)
    collection.settle()
    assert gc.isenabled()
    later = Cycle()
    of_later = weakref.ref(later)
    del before, later
    gc.collect()
    assert of_later() is None
    assert watched() is not None
    gc.unfreeze()
    gc.collect()
    assert watched() is None


def test_a_process_that_has_not_held_keeps_nothing_by_settling() -> None:
    cycle = Cycle()
    watched = weakref.ref(cycle)
    collection.settle()
    del cycle
    gc.collect()
    assert watched() is None
