"""Labels of runs that are compared: they name what differs, no two alike, and no longer than that needs."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from advlab.results.differences import Differences, unique_labels

Nodes = dict[str, dict[str, Any]]


def run(**changes: Any) -> Nodes:
    """A configuration; `attack__steps=5` sets attack.steps, and `attack="fgs"` the component."""
    nodes: Nodes = {
        "dataset": {"name": "digits", "size": 28, "label": "", "root": ""},
        "model": {"name": "lenet", "input": [1, 28, 28], "hidden": [20]},
        "recipe": {"name": "lenet_digits", "epochs": 20, "lr": 0.01},
        "defense": {"name": "none"},
        "attack": {"name": "none"},
        "probe": {"name": "sphere", "trials": 100, "samples": 300, "direction": "random"},
        "experiment": {"name": "isotropy", "most": 0.95},
        "run": {"seed": 0, "preset": "paper", "output_root": "./outputs", "resume": False},
    }
    for key, value in changes.items():
        group, _, option = key.partition("__")
        if option:
            nodes[group] = {**nodes[group], option: value}
        else:
            nodes[group] = {"name": value} if isinstance(value, str) else value
    return nodes


def labels(*runs: Nodes) -> list[str]:
    return Differences(runs).labels()


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([run(), run(model="mlp", recipe="mlp_digits")], ["lenet on digits", "mlp on digits"]),
        ([run(), run(dataset="mnist", model__input=[1, 32, 32])], ["lenet on digits", "lenet on mnist"]),
        ([run(attack="fgs"), run(attack="fgv")], ["fgs: lenet on digits", "fgv: lenet on digits"]),
        ([run(), run(defense="blur")], ["lenet on digits", "lenet with blur on digits"]),
        ([run(), run(probe__direction="fgv")], ["lenet on digits", "lenet on digits, fgv"]),
        ([run(run__seed=0), run(run__seed=1)], ["lenet, seed=0", "lenet, seed=1"]),
        ([run(model__hidden=[5]), run()], ["lenet, hidden=[5]", "lenet, hidden=[20]"]),
        (
            [run(run__preset="tiny", probe__samples=3), run(run__preset="laptop", probe__samples=30)],
            ["lenet, preset=tiny", "lenet, preset=laptop"],
        ),
        (  # the seed stands last; what all have in common, such as the attack, is left out
            [run(run__seed=s, attack={"name": "pgd", "steps": n}) for n in (5, 10) for s in (1, 0)],
            ["lenet, steps=5, seed=1", "lenet, steps=5, seed=0", "lenet, steps=10, seed=1", "lenet, steps=10, seed=0"],
        ),
        (  # the option of one attack alone; the seeds of all
            [run(attack="fgs"), *(run(attack={"name": "pgd", "steps": n}) for n in (5, 10))],
            ["fgs: lenet", "pgd: lenet, steps=5", "pgd: lenet, steps=10"],
        ),
        (  # what differs although the model differs, too
            [run(probe__trials=10), run(model="mlp", recipe="mlp_digits", probe__trials=20)],
            ["lenet, trials=10", "mlp, trials=20"],
        ),
        (  # one name for options of two groups
            [run(probe__trials=n, experiment__trials=n) for n in (1, 2)],
            ["lenet, probe.trials=1, experiment.trials=1", "lenet, probe.trials=2, experiment.trials=2"],
        ),
        ([run(recipe__name="short", recipe__epochs=1), run()], ["lenet, recipe=short", "lenet, recipe=lenet_digits"]),
        (
            [run(defense={"name": "chain", "of": [{"name": "blur", "sigma": s}, {"name": "jpeg"}]}) for s in (1.0, 2.5)],
            ["lenet, sigma=1.0", "lenet, sigma=2.5"],
        ),
        (
            [run(dataset__root=f"/data/{name}/photos/{name}") for name in ("old", "new")],
            ["lenet, root=old", "lenet, root=new"],
        ),
        ([run(dataset__root="/a/photos"), run(dataset__root="/b/photos")], ["lenet, root=/a/photos", "lenet, root=/b/photos"]),
        ([run(model__checkpoint=""), run(model__checkpoint="w.pt")], ["lenet, checkpoint=''", "lenet, checkpoint=w.pt"]),
        ([run(run__output_root="a"), run(run__resume=True)], ["lenet on digits", "lenet on digits"]),
        (
            [run(model="none", dataset="none", run__seed=s) for s in (0, 1)],
            ["seed=0", "seed=1"],
        ),
        (
            [run(attack={"name": "hot_cold", "hot": n}, choices={"attack": f"hc{n}"}) for n in (1, 2)],
            ["hc1: lenet on digits", "hc2: lenet on digits"],
        ),
    ],
)  # fmt: skip
def test_labels_name_what_differs(runs: list[Nodes], expected: list[str]) -> None:
    assert labels(*runs) == expected
    assert labels(*reversed(runs)) == expected[::-1]


def test_an_option_that_an_older_run_lacks_is_no_difference() -> None:
    older = run()
    del older["defense"], older["probe"]["trials"]
    assert labels(older, run()) == ["lenet on digits", "lenet on digits"]
    assert labels(older, run(defense="blur")) == ["lenet on digits", "lenet with blur on digits"]


def test_no_two_configurations_share_a_label() -> None:
    """All combinations of two values each of eight options, and every subset of three of them."""
    options: dict[str, list[Any]] = {
        "model__name": ["lenet", "mlp"], "dataset__name": ["digits", "mnist"], "recipe__epochs": [1, 2],
        "attack": [{"name": "fgs"}, {"name": "pgd", "steps": 5}], "defense": [{"name": "none"}, {"name": "blur"}],
        "probe__trials": [1, 2], "run__preset": ["tiny", "paper"], "run__seed": [0, 1],
    }  # fmt: skip
    runs = [run(**dict(zip(options, values, strict=True))) for values in itertools.product(*options.values())]
    assert len(set(labels(*runs))) == len(runs) == 256
    for few in itertools.combinations(runs[::7], 3):
        assert len(set(labels(*few))) == 3


def test_values_of_what_differs_by_dotted_key() -> None:
    runs = [
        run(run__seed=1, attack="fgs"),
        run(attack={"name": "pgd", "steps": 5}),
        run(attack={"name": "pgd", "steps": 9}),
    ]
    differences = Differences(runs)
    assert [differences.values(n) for n in range(3)] == [
        {"attack": "fgs", "attack.steps": "", "run.seed": "1"},
        {"attack": "pgd", "attack.steps": "5", "run.seed": "0"},
        {"attack": "pgd", "attack.steps": "9", "run.seed": "0"},
    ]
    assert Differences(runs, without=["run.seed"]).keys == ["attack", "attack.steps"]


def unique(names: list[str], *paths: str) -> list[str]:
    return unique_labels(names, [Path(path) for path in paths])


def test_labels_that_differ_stay() -> None:
    assert unique(["lenet on digits", "mlp on digits"], "one/v001", "two/v001") == ["lenet on digits", "mlp on digits"]


def test_the_version_tells_runs_of_one_label_apart() -> None:
    assert unique(["a", "a", "b"], "one/v001", "one/v002", "two/v001") == ["a (v001)", "a (v002)", "b"]


def test_the_path_tells_apart_what_the_version_does_not() -> None:
    assert unique(["a", "a"], "one/v001", "two/v001") == ["a (one/v001)", "a (two/v001)"]


def test_what_a_preset_brings_along_is_no_difference_of_its_own() -> None:
    def of(preset: str, images: int) -> dict[str, dict[str, Any]]:
        return {"experiment": {"name": "isotropy"}, "run": {"preset": preset, "accuracy_images": images}}

    assert Differences([of("tiny", 200), of("laptop", 2000)]).keys == ["run.preset"]
    assert Differences([of("tiny", 1), of("tiny", 2)]).keys == ["run.accuracy_images"]
