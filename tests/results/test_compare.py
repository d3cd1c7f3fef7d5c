"""Labels of runs that are drawn together: no two alike, and no longer than that needs."""

from __future__ import annotations

from pathlib import Path

from advlab.results.compare import unique_labels
from advlab.store.run_directory import RunDirectory


def labels(names: list[str], *paths: str) -> list[str]:
    return unique_labels(names, [RunDirectory(Path(path)) for path in paths])


def test_labels_that_differ_stay() -> None:
    assert labels(["lenet on digits", "mlp on digits"], "one/v001", "two/v001") == ["lenet on digits", "mlp on digits"]


def test_the_version_tells_runs_of_one_label_apart() -> None:
    assert labels(["a", "a", "b"], "one/v001", "one/v002", "two/v001") == ["a (v001)", "a (v002)", "b"]


def test_the_path_tells_apart_what_the_version_does_not() -> None:
    assert labels(["a", "a"], "one/v001", "two/v001") == ["a (one/v001)", "a (two/v001)"]
