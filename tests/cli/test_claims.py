"""`advlab claims` from the command line: real runs, runs judged again, hostile and unfinished ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from advlab.experiments.barati2021 import hard_points

from advlab.config import components
from advlab.statistics.claims import Claim
from advlab.store.run_directory import RunDirectory
from advlab.store.tables import to_csv
from tests.helpers.claimed_runs import claim_of, claimed_nodes, finished_run
from tests.helpers.commands import Ended
from tests.helpers.run_files import flip

OLD = Path(__file__).parents[1] / "results" / "version_0_1" / "outputs"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Three finished runs with their tables, in the working folder of `cli`."""
    shutil.copytree(OLD, tmp_path / "outputs")
    return tmp_path / "outputs"


def test_the_outputs_are_the_default(old: Path, cli: Callable[..., Ended]) -> None:
    ended = cli("claims")
    assert (ended.code, ended.err) == (0, "")
    for words in (
        "hard_points (barati2021, figure 3)",
        "isotropy (aghdam2017, figure 1)",
        'section 2.1: "none of the ConvNets',
    ):
        assert words in ended.out
    ended = cli("claims", "outputs/isotropy", "--format", "json", "--experiment", "isotropy", "-o", "board.json")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    content = json.loads((old.parent / "board.json").read_text(encoding="utf-8"))
    assert [experiment["experiment"] for experiment in content["experiments"]] == ["isotropy"]
    verdicts = [s["cells"][0]["verdict"] for s in content["experiments"][0]["statements"]]
    archived = [
        row["verdict"] for row in RunDirectory(old / "isotropy/digits-mlp/v001").read_claims(Claim).to_dict("records")
    ]
    assert sorted(verdicts) == sorted(archived)


def test_again_judges_by_todays_rules(old: Path, cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that is turned round turns the verdicts round, and nothing of it is written into the run."""
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    unchanged = cli("claims", "outputs/hard_points", "--again")
    assert "judged again: 0 of" in unchanged.err
    assert unchanged.out == cli("claims", "outputs/hard_points").out
    claims = hard_points.HardPoints.claims
    turned = {"holds": "does not hold", "does not hold": "holds"}

    def turned_round(self: Any, table: Any) -> list[Claim]:
        found = claims(self, table)
        return [claim_of(turned[c.verdict], claim=c.claim, subset=c.subset, statement=c.statement) for c in found[1:]]  # type: ignore[arg-type]

    monkeypatch.setattr(components.REGISTRIES["experiment"].load("hard_points"), "claims", turned_round)
    ended = cli("claims", "outputs/hard_points", "--again")
    count = len(RunDirectory(old / "hard_points/v001").read_claims(Claim)) - 1
    assert f"judged again: {count} of {count} verdicts changed" in ended.err
    assert "no longer judged: " in ended.err
    assert "holds -> does not hold" in ended.out
    assert "does not hold -> holds" in ended.out
    table = cli("claims", "outputs/hard_points", "--again", "--format", "csv").out
    assert table.splitlines()[0].count("former_verdict") == 1
    assert 'class="not changed"' in cli("claims", "outputs/hard_points", "--again", "--format", "html").out
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before


def test_a_caution_stays_beside_every_claim(old: Path, cli: Callable[..., Ended]) -> None:
    """Of a network that was measured although it is noisy, say; the table does not say so, claims.csv does."""
    run = RunDirectory(old / "hard_points/v001")
    claims = [Claim(**row) for row in run.read_claims(Claim).to_dict("records")]
    cautious = [replace(claim, quantity=f"{claim.quantity} (the network is noisy)") for claim in claims]
    run.claims_path.write_text(to_csv(cautious, Claim), encoding="utf-8")
    run.renew_digests([run.claims_path])
    ended = cli("claims", "outputs/hard_points", "--again", "--format", "json")
    assert "judged again: 0 of" in ended.err
    assert ended.out.count("(the network is noisy)") == len(claims)


def test_a_run_without_table_keeps_its_verdicts(tmp_path: Path, cli: Callable[..., Ended]) -> None:
    finished_run(tmp_path / "runs" / "v001", claimed_nodes(), [claim_of("holds")])
    ended = cli("claims", "runs", "--again")
    assert ended.code == 0
    assert "runs/v001 has no table.csv: its verdicts are those of claims.csv" in ended.err
    assert "holds  0.9 [0.8, 0.95]" in ended.out


def damaged_runs(place: Path) -> dict[str, str]:
    """Make runs of which none can be read; gives what must be said of each."""

    def run(name: str, *arguments: Any, **facts: Any) -> Path:
        return finished_run(place / name, claimed_nodes(), *(arguments or ([claim_of("holds")],)), **facts)

    header = "claim,subset,statement,quantity,relation,threshold,estimate,low,high,samples,verdict\n"
    (run("unfinished") / "manifest.json").unlink()
    run("interrupted", status="interrupted")
    flip(run("changed") / "claims.csv")
    flip(run("seal") / "manifest.json")
    (run("lost") / "claims.csv").unlink()
    run("verdict", header + "a,b,c,d,>,1,1,1,1,9,<b>maybe</b>\n")
    run("numbers", header + "a,b,c,d,>,1,x,1,1,9,holds\n")
    run("samples", header + "a,b,c,d,>,1,1,1,1,nan,holds\n")
    run("columns", "a,b\n1,2\n")
    link = run("link")
    (link / "claims.csv").unlink()
    (link / "claims.csv").symlink_to("/etc/passwd")
    pipe = run("pipe")
    (pipe / "claims.csv").unlink()
    os.mkfifo(pipe / "claims.csv")
    return {
        "unfinished": "it is not finished", "interrupted": "it is interrupted", "changed": "does not match its manifest",
        "seal": "is damaged", "lost": "is missing", "verdict": "is no verdict", "numbers": "none of its kind",
        "samples": "is damaged", "columns": "has no column", "link": "leads out", "pipe": "no regular file",
    }  # fmt: skip


def test_what_is_damaged_is_passed_over_and_said(tmp_path: Path, cli: Callable[..., Ended]) -> None:
    expected = damaged_runs(tmp_path / "runs")
    ended = cli("claims", "runs")
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("advlab: no finished run below runs")
    finished_run(tmp_path / "runs" / "whole", claimed_nodes(), [claim_of("holds")])
    ended = cli("claims", "runs")
    assert ended.code == 0
    lines = ended.err.splitlines()
    assert len(lines) == len(expected)
    for name, words in expected.items():
        (line,) = (line for line in lines if line.startswith(f"skipped runs/{name}: "))
        assert words in line
    assert ended.out.count("holds  ") == 1


def test_a_table_that_cannot_be_judged_again_is_passed_over(old: Path, cli: Callable[..., Ended]) -> None:
    path = old / "isotropy/digits-mlp/v001"
    run = RunDirectory(path)
    manifest = run.manifest()
    lines = run.table_path.read_text(encoding="utf-8").splitlines()
    run.table_path.write_text(lines[0] + "\n", encoding="utf-8")
    manifest["files"].pop("table.csv")
    manifest.pop("files")
    run.write_manifest(manifest, [])
    nodes = claimed_nodes("of_a_plugin")
    finished_run(old / "plugin", nodes, [claim_of("holds")], table="a\n1\n")
    ended = cli("claims", "--again")
    assert ended.code == 0
    assert "skipped outputs/plugin: " in ended.err
    assert "of_a_plugin" in ended.err
    assert "Traceback" not in ended.err
    assert "hard_points" in ended.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["claims"], ["outputs", "is no folder"]),
        (["claims", "nope"], ["'nope' is no folder", "such as outputs"]),
        (["claims", "."], ["no finished run below .", "advlab experiment=isotropy"]),
        (["claims", ".", "--format", "xml"], ["xml", "usage: advlab claims"]),
        (["claims", "a\0b"], ["is no folder"]),
    ],
)  # fmt: skip
def test_bad_lines(arguments: list[str], words: list[str], cli: Callable[..., Ended]) -> None:
    ended = cli(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert all(word in ended.err for word in words)
    assert len(ended.err.splitlines()) == 1


def test_a_file_that_cannot_be_written(tmp_path: Path, cli: Callable[..., Ended]) -> None:
    finished_run(tmp_path / "runs" / "v001", claimed_nodes(), [claim_of("holds")])
    for name in ("..", "runs", "runs/v001/claims.csv/x"):
        ended = cli("claims", "runs", "-o", name)
        assert ended.code == 2
        assert f"--output {name}" in ended.err


def test_folders_of_any_depth_are_searched(tmp_path: Path, cli: Callable[..., Ended]) -> None:
    finished_run(tmp_path / "runs" / "v001", claimed_nodes(), [claim_of("holds")])
    (tmp_path / "runs" / "loop").symlink_to(tmp_path / "runs")
    finished_run(tmp_path / "runs" / ".hidden" / "v001", claimed_nodes(), [claim_of("holds")])
    here = tmp_path / "runs"
    descriptor = os.open(here, os.O_RDONLY)
    for _ in range(1200):  # deeper than Python recurses
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    ended = cli("claims", "runs")
    subprocess.run(["rm", "-rf", str(here / "d")], check=True)
    assert ended.code == 0, ended.err
    assert ended.err == ""


def test_what_is_passed_over_is_named_without_control_signs(tmp_path: Path, cli: Callable[..., Ended]) -> None:
    finished_run(tmp_path / "outputs" / "good", claimed_nodes(), [claim_of("holds")])
    finished_run(tmp_path / "outputs" / "two\nlines\x1b[31m", claimed_nodes(), [claim_of("holds")], status="failed")
    ended = cli("claims")
    assert ended.code == 0
    assert "\x1b" not in ended.err
    assert len(ended.err.splitlines()) == 1
