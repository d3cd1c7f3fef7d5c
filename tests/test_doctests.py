"""The examples in docstrings give what they say, and every public function of geometry and metrics has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from advlab.statistics import exact, judge, mean_interval, median_interval, rank_correlation, share_interval

ROOT = Path(__file__).resolve().parent.parent

#: modules of advlab.attacks that anyone who writes an attack meets, each with an example to read
SHARED_BY_ATTACKS = (
    "ascent.normalised_steps", "boundary.box_step", "interface", "logits", "norms", "random_numbers", "rejection", "status",
)  # fmt: skip


def modules(*parts: str) -> list[str]:
    """Names of all modules below parts of advlab."""
    paths = sorted(path for part in parts for path in (ROOT / "advlab" / part).rglob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]


def examples(module: ModuleType) -> list[doctest.DocTest]:
    """The docstrings of a module that hold examples; names of the module are known in them."""
    return [test for test in doctest.DocTestFinder().find(module) if test.examples]


def public(module: ModuleType) -> dict[str, Any]:
    """Functions and classes that a module defines and that have no underscore.

    A named tuple is left out: the function that returns it shows it.
    """
    return {
        name: thing
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(thing) or inspect.isclass(thing))
        and thing.__module__ == module.__name__
        and not (inspect.isclass(thing) and issubclass(thing, tuple))
    }


@pytest.mark.parametrize("name", modules("geometry", "metrics", "attacks", "defenses", "statistics"))
def test_examples_give_what_they_say(name: str) -> None:
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner()
    printed: list[str] = []
    for test in examples(module):
        runner.run(test, out=printed.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(printed)


@pytest.mark.parametrize("name", modules("geometry", "metrics"))
def test_every_public_function_has_an_example(name: str) -> None:
    """For a class, its own docstring or that of a method."""
    module = importlib.import_module(name)
    shown = {test.name.removeprefix(f"{name}.").split(".")[0] for test in examples(module)}
    assert not set(public(module)) - shown


@pytest.mark.parametrize("function", [judge, exact, mean_interval, median_interval, rank_correlation, share_interval])
def test_what_verdicts_rest_on_has_examples(function: Callable[..., Any]) -> None:
    module = importlib.import_module(function.__module__)
    assert f"{module.__name__}.{function.__name__}" in [test.name for test in examples(module)]


@pytest.mark.parametrize("name", SHARED_BY_ATTACKS)
def test_what_attacks_share_has_examples(name: str) -> None:
    assert examples(importlib.import_module(f"advlab.attacks.{name}"))


def test_the_rules_are_not_about_empty_lists() -> None:
    functions = [name for module in modules("geometry", "metrics") for name in public(importlib.import_module(module))]
    assert len(functions) > 30
    assert {"Jacobian", "mantel_test", "ssim"} <= set(functions)


def test_an_example_that_is_wrong_fails() -> None:
    """The runner is told of names and reports failures: otherwise the tests above would assert nothing."""
    wrong = doctest.DocTestParser().get_doctest(">>> one + 1\n3\n", {"one": 1}, "wrong", None, None)
    assert doctest.DocTestRunner().run(wrong, out=lambda text: None).failed == 1
