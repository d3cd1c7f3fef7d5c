"""What a line says of what was not typed, and of what it does not judge."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.helpers.commands import Ended

TINY = ("run.preset=tiny", "recipe.epochs=1", "experiment.samples=4")


def test_an_attack_that_was_not_typed_is_named(cli: Callable[..., Ended]) -> None:
    ended = cli("experiment=attack_survey", *TINY, "attack.epsilon=0.0001")
    assert "by default attack=fgs; `advlab list attacks` shows others\n" in ended.err
    assert "it judges no statement of a paper; what it measures and how: advlab describe attack_survey\n" in ended.out
    assert "mean_l2              -\n" in ended.out  # nothing succeeds
    assert "-: not defined, such as a mean over no success\n" in ended.out
    typed = cli("experiment=attack_survey", *TINY, "attack=fgs")
    assert "by default" not in typed.err


def test_a_title_is_one_line_in_a_pipe(cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    ended = cli("experiment=attack_survey", *TINY, "attack=fgs", "attack.epsilon=0.001")
    title = ended.out.splitlines()[0]
    assert title.endswith("fgs: lenet on digits, epsilon=0.001:")


def test_the_words_of_a_survey_are_explained(cli: Callable[..., Ended]) -> None:
    said = cli("describe", "attack_survey").out
    for word in (
        "success_rate",
        "success_of_all",
        "robust_accuracy",
        "survival_rate",
        "saturated_share",
        "failures",
        "pass_score",
    ):
        assert word in said
