"""The board of made-up claims with known answers: columns, seeds, repetitions, statements over networks.

Longer than other files: one case after the other, each a few lines on the same helpers.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from advlab.errors import ResultError
from advlab.results.board.board import Board, board_of
from advlab.results.board.runs import finished_runs
from advlab.results.board.tidy import board_table
from tests.helpers.claimed_runs import claim_of, claimed_nodes, finished_run


def board(*folders: Path, **options: str) -> Board:
    return board_of(finished_runs(folders, **options).runs)  # type: ignore[arg-type]  # again is not among them


def test_networks_are_columns_and_statements_lines(tmp_path: Path) -> None:
    both = [claim_of("holds", subset="l2"), claim_of("undecided", subset="linf")]
    finished_run(tmp_path / "a" / "v001", claimed_nodes(model="lenet"), both)
    finished_run(tmp_path / "b" / "v001", claimed_nodes(model="mlp"), [claim_of("does not hold", subset="l2")])
    (section,) = board(tmp_path).sections
    assert section.title == "isotropy (aghdam2017, figure 1)"
    assert [column.label for column in section.columns] == ["lenet on digits", "mlp on digits"]
    assert [line.claim.subset for line in section.lines] == ["l2", "linf"]
    assert [[cell.verdict if cell else None for cell in line.cells] for line in section.lines] == [
        ["holds", "does not hold"], ["undecided", None],
    ]  # fmt: skip
    assert section.lines[0].section == "section 2.1"
    assert section.lines[0].sentence == '"it is small"'
    assert section.lines[0].networks_text == "1 of 2 hold"
    assert section.lines[0].verdict is None
    assert [cell.numbers_text for line in section.lines for cell in line.cells if cell] == [
        "0.9 [0.8, 0.95]", "0.1 [0.05, 0.2]", "0.5 [0.3, 0.7]",
    ]  # fmt: skip


def test_subsets_of_one_statement_stand_together(tmp_path: Path) -> None:
    claims = [
        claim_of("holds", claim=name, subset=subset, statement=f"section 1: {name}")
        for subset in ("l2", "linf") for name in ("small", "large")
    ]  # fmt: skip
    finished_run(tmp_path / "v001", claimed_nodes(), claims)
    (section,) = board(tmp_path).sections
    assert [(line.claim.claim, line.claim.subset) for line in section.lines] == [
        ("small", "l2"), ("small", "linf"), ("large", "l2"), ("large", "linf"),
    ]  # fmt: skip


def test_checks_by_other_thresholds_have_lines_of_their_own(tmp_path: Path) -> None:
    """Seeds of one network, measured by versions that judge by other numbers: neither is shown under the other's rule."""
    for seed, threshold in enumerate((0.5, 0.7, 0.5, math.nan, math.nan)):
        claim = claim_of("holds", threshold=threshold)
        finished_run(tmp_path / f"v{seed}", claimed_nodes(run={"seed": seed}), [claim], scope="all")
    (section,) = board(tmp_path).sections
    found = [(line.claim.threshold, [len(cell.claims) if cell else 0 for cell in line.cells]) for line in section.lines]
    assert str(found) == "[(0.5, [2]), (0.7, [1]), (nan, [2])]"


@pytest.mark.parametrize("relation", ["", "<script>", "<="])
def test_a_relation_that_is_none_is_damage(relation: str, tmp_path: Path) -> None:
    finished_run(tmp_path / "v001", claimed_nodes(), [claim_of("holds", relation=relation)])
    with pytest.raises(ResultError, match="no finished run"):
        board(tmp_path)


def test_seeds_are_one_network_with_several_runs(tmp_path: Path) -> None:
    for seed, (verdict, estimate) in enumerate([("holds", 0.9), ("holds", 0.7), ("undecided", 0.5)]):
        claims = [
            claim_of(verdict, estimate=estimate, low=estimate - 0.1, high=estimate + 0.1),  # type: ignore[arg-type]
            claim_of("holds", claim="other"),
        ]
        finished_run(tmp_path / f"v00{seed + 1}", claimed_nodes(run={"seed": seed}), claims, scope="all")
    (section,) = board(tmp_path).sections
    (column,) = section.columns
    assert [run.nodes["run"]["seed"] for run in column.runs] == [0, 1, 2]
    (cell,), (other,) = (line.cells for line in section.lines)
    assert cell is not None
    assert other is not None
    assert cell.verdict == "undecided"
    assert [cell.estimate, cell.low, cell.high] == pytest.approx([0.7, 0.4, 1.0])
    assert cell.deviation == pytest.approx(0.2)
    assert cell.text == "undecided, 0.7 ± 0.2 (holds in 2 of 3, undecided in 1)"
    assert other.text == "holds, 0.9 ± 0"
    assert list(section.lines[1].networks.values()) == [["holds"] * 3]  # three seeds are no three networks
    frame = board_table(board(tmp_path))
    assert frame.loc[0, ["runs", "holds", "undecided", "does_not_hold", "verdict"]].tolist() == [
        3,
        2,
        1,
        0,
        "undecided",
    ]


def test_of_repeated_runs_the_last_is_taken(tmp_path: Path) -> None:
    for version, verdict in (("v9", "holds"), ("v10", "does not hold")):
        finished_run(tmp_path / version, claimed_nodes(), [claim_of(verdict)])  # type: ignore[arg-type]
    found = board(tmp_path)
    assert [cell.verdict for cell in found.cells] == ["does not hold"]
    (remark,) = found.remarks
    assert "v9" in remark.split(":")[0]


def test_how_a_run_is_carried_out_makes_no_column(tmp_path: Path) -> None:
    carried_out: list[dict[str, Any]] = [
        {},
        {"batch_size": 7, "device": "cpu", "accuracy_images": 9},
        {"preset": "laptop"},
    ]
    for number, run in enumerate(carried_out):
        nodes = claimed_nodes(run={"batch_size": 0, "device": "auto", **run})
        finished_run(tmp_path / str(number), nodes, [claim_of("holds")])
    (section,) = board(tmp_path).sections
    assert [column.label for column in section.columns] == [
        "lenet on digits, preset=paper",
        "lenet on digits, preset=laptop",
    ]
    assert section.columns[0].runs[0].path.name == "1"
    assert len(section.lines[0].networks) == 1


def test_attacks_and_options_are_columns_of_their_own_and_no_networks(tmp_path: Path) -> None:
    for number, (attack, steps) in enumerate([("fgs", 1), ("pgd", 5), ("pgd", 9)]):
        nodes = claimed_nodes("attack_survey", attack={"name": attack, "steps": steps})
        finished_run(tmp_path / str(number), nodes, [claim_of("does not hold" if attack == "fgs" else "holds")])
    (section,) = board(tmp_path).sections
    assert [column.label for column in section.columns] == [
        "fgs: lenet on digits", "pgd: lenet on digits, steps=5", "pgd: lenet on digits, steps=9",
    ]  # fmt: skip
    assert list(section.lines[0].networks.values()) == [["does not hold", "holds", "holds"]]  # one network


@pytest.mark.parametrize(("scope", "expected"), [("all", "does not hold"), ("most", "holds")])
def test_a_statement_about_networks_is_judged_over_them(scope: str, expected: str, tmp_path: Path) -> None:
    for number in range(9):  # 8 of 9 exclude a half, 7 of 8 do not
        verdict = "does not hold" if number == 3 else "holds"
        nodes = claimed_nodes(model=f"net{number}")
        finished_run(tmp_path / str(number), nodes, [claim_of(verdict)], scope=scope)  # type: ignore[arg-type]
    (section,) = board(tmp_path).sections
    assert section.lines[0].verdict == expected
    assert section.lines[0].networks_text == f"{scope}: {expected} (8 of 9 hold)"
    frame = board_table(board(tmp_path))
    assert set(frame["scope_verdict"]) == {expected}
    assert set(frame["networks_holding"]) == {8}


def test_the_interval_is_the_one_that_decides(tmp_path: Path) -> None:
    family = claim_of(
        "undecided", low=0.6, high=0.8, estimate=0.7, family=3, family_low=0.4, family_high=0.9, verdict_alone="holds"
    )
    bound = claim_of("holds", claim="bound", samples=0, estimate=2.0, low=2.0, high=math.inf)
    finished_run(tmp_path / "v001", claimed_nodes(), [family, bound])
    assert [cell.text for cell in board(tmp_path).cells] == ["undecided, 0.7 [0.4, 0.9]", "holds, >= 2"]
    frame = board_table(board(tmp_path))
    assert frame[["low", "high", "family"]].to_numpy().tolist() == [[0.4, 0.9, 3], [2.0, math.inf, 1]]


def test_bounds_of_several_seeds_stay_bounds(tmp_path: Path) -> None:
    for seed, estimate in enumerate((2.0, 4.0)):
        bound = claim_of("holds", samples=0, estimate=estimate, low=estimate, high=math.inf)
        finished_run(tmp_path / str(seed), claimed_nodes(run={"seed": seed}), [bound])
    (cell,) = board(tmp_path).cells
    assert cell.text == "holds, >= 3 ± 1.4"
    assert (cell.low, cell.high) == (2.0, math.inf)


def test_seeds_that_do_not_agree_leave_their_network_undecided(tmp_path: Path) -> None:
    """Of most networks; of all, one run on which it does not hold decides."""
    for network in range(8):
        for seed in range(2):
            verdict = "does not hold" if (network, seed) in ((0, 0), (1, 1)) else "holds"
            for scope in ("all", "most"):
                nodes = claimed_nodes(scope, f"net{network}", run={"seed": seed})
                finished_run(tmp_path / scope / f"{network}-{seed}", nodes, [claim_of(verdict)], scope=scope)  # type: ignore[arg-type]
    lines = [section.lines[0] for section in board(tmp_path).sections]
    assert [line.networks_text for line in lines] == [
        "all: does not hold (6 of 8 hold)",
        "most: undecided (6 of 8 hold)",
    ]


def test_filters(tmp_path: Path) -> None:
    finished_run(tmp_path / "a", claimed_nodes(), [claim_of("holds")])
    finished_run(tmp_path / "b", claimed_nodes("topology", run={"preset": "tiny"}), [claim_of("holds")])
    finished_run(tmp_path / "c", claimed_nodes("other"), [claim_of("holds")], paper="barati2021, figure 1")
    names = [section.experiment for section in board(tmp_path).sections]
    assert names == ["isotropy", "topology", "other"]
    assert [s.experiment for s in board(tmp_path, experiment="topology").sections] == ["topology"]
    assert [s.experiment for s in board(tmp_path, paper="aghdam2017").sections] == ["isotropy", "topology"]
    assert [s.experiment for s in board(tmp_path, preset="paper").sections] == ["isotropy", "other"]
    with pytest.raises(ResultError, match=r"no finished run below .* that fits --experiment nope"):
        finished_runs([tmp_path], experiment="nope")


def test_a_number_that_is_exact_or_missing(tmp_path: Path) -> None:
    claims = [
        claim_of("holds", samples=0, estimate=1.0, low=1.0, high=1.0),
        claim_of("not measured", claim="none", samples=0),
    ]
    finished_run(tmp_path / "v001", claimed_nodes(), claims)
    exact, none = board(tmp_path).cells
    assert exact.text == "holds, 1"
    assert none.text == "not measured"
    assert math.isnan(none.estimate)


def test_a_tiny_run_takes_nothing_back_from_a_larger_one(tmp_path: Path) -> None:
    finished_run(tmp_path / "a", claimed_nodes(run={"preset": "laptop"}), [claim_of("holds")], scope="all")
    finished_run(tmp_path / "b", claimed_nodes(run={"preset": "tiny"}), [claim_of("undecided", samples=3)], scope="all")
    found = board(tmp_path)
    (section,) = found.sections
    assert [run.path.name for column in section.columns for run in column.runs] == ["a"]
    assert section.lines[0].count_text == "1 of 1 hold"
    (remark,) = found.remarks
    assert remark.startswith("left out of the claims board ")  # a page of the runs has it nonetheless
    assert "b: a tiny run" in remark


def test_tiny_runs_do_not_enter_what_is_said_of_networks(tmp_path: Path) -> None:
    for number in range(7):
        preset, verdict = ("tiny", "does not hold") if number == 6 else ("paper", "holds")
        nodes = claimed_nodes(model=f"net{number}", run={"preset": preset})
        finished_run(tmp_path / str(number), nodes, [claim_of(verdict)], scope="all")  # type: ignore[arg-type]
    found = board(tmp_path)
    (line,) = found.sections[0].lines
    assert len(line.cells) == 7  # it is shown
    assert line.networks_text == "all: holds (6 of 6 hold)"
    assert any("tiny runs decide nothing" in remark for remark in found.remarks)


def test_the_larger_of_two_presets_decides_about_a_network(tmp_path: Path) -> None:
    for number, (preset, verdict) in enumerate([("paper", "holds"), ("laptop", "undecided")]):
        nodes = claimed_nodes(run={"preset": preset})
        finished_run(tmp_path / str(number), nodes, [claim_of(verdict)])  # type: ignore[arg-type]
    (line,) = board(tmp_path).sections[0].lines
    assert len(line.cells) == 2
    assert line.count_text == "1 of 1 hold"
