"""Published results: what is committed is intact and says nothing of a machine, and so is what is published."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

import advlab
from advlab.errors import ConfigError, ResultError
from advlab.results.board.runs import judged_run
from advlab.statistics.claims import Claim
from advlab.store.run_directory import RunDirectory
from benchmarks.published.__main__ import main
from benchmarks.published.places import places
from benchmarks.published.publish import command_of, publish
from tests.helpers.claimed_runs import claim_of, claimed_nodes, finished_run

ROOT = Path(__file__).resolve().parents[3]
OLD = ROOT / "tests" / "results" / "version_0_1" / "outputs"


def test_committed_results_are_intact_and_small_and_name_no_place() -> None:
    host = socket.gethostname()
    for path in (path for path in ROOT.glob("experiments/*/results/**/*") if path.is_file()):
        assert path.name in ("claims.csv", "manifest.json"), path
        text = path.read_text(encoding="utf-8")
        assert places(text) == [], path
        assert len(host) < 5 or host not in text, path
        assert len(text) < 100_000, path
        _paper, results, experiment, _label = path.relative_to(ROOT / "experiments").parts[:4]
        assert (results, judged_run(RunDirectory(path.parent)).experiment) == ("results", experiment)


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    shutil.copytree(OLD, tmp_path / "outputs")
    return tmp_path / "outputs"


def manifest_with(run: Path, **facts: Any) -> None:
    """Change some facts of a manifest, which stays sealed."""
    directory = RunDirectory(run)
    content = directory.manifest()
    files = [run / name for name in content.pop("files") if (run / name).is_file()]
    directory.write_manifest({**content, **facts}, files)


def test_a_run_is_published_without_places(checkout: Path, outputs: Path) -> None:
    run = outputs / "isotropy/digits-mlp/v001"
    config = RunDirectory(run).manifest()["config"]
    config["dataset"]["root"], config["model"]["checkpoint"] = "/home/someone/images", "~/nets/epoch=3.ckpt"
    words = ["advlab", "--multirun", "++model=mlp,lenet", "run.output_root=/tmp/x", "dataset.root=/home/someone/images"]
    manifest_with(run, config=config, command=[*words, "hydra.sweep.dir=/tmp/x/.sweeps/1"])
    folder = publish(run, checkout)
    assert folder == checkout / "experiments/aghdam2017/results/isotropy/digits-mlp"
    assert sorted(path.name for path in folder.iterdir()) == ["claims.csv", "manifest.json"]
    text = (folder / "manifest.json").read_text(encoding="utf-8")
    assert places(text) == []
    assert "someone" not in text
    manifest = json.loads(text)
    assert manifest["command"] == "advlab -m model=mlp,lenet dataset.root=images"
    assert manifest["config"]["dataset"]["root"] == "images"
    assert manifest["config"]["model"]["checkpoint"] == "epoch=3.ckpt"
    assert (manifest["versions"]["advlab"], manifest["samples"]) == (
        RunDirectory(run).manifest()["versions"]["advlab"],
        90,
    )
    assert not {"git", "job", "peak_memory_bytes"} & set(manifest)
    assert manifest["table"] == RunDirectory(run).manifest()["files"]["table.csv"]
    assert (folder / "claims.csv").read_bytes() == (run / "claims.csv").read_bytes()
    assert len(text.splitlines()) < 40
    archived = RunDirectory(run).read_claims(Claim)["verdict"].tolist()
    board = advlab.claims(checkout / "experiments", experiment="isotropy")
    assert sorted(board.loc[board["network"] == "mlp on digits", "verdict"].tolist()[-len(archived) :]) == sorted(
        archived
    )


def test_a_run_is_published_by_todays_rules(checkout: Path, outputs: Path) -> None:
    folder = publish(outputs / "isotropy/digits-mlp/v001", checkout, again=True)
    board = advlab.claims(outputs / "isotropy/digits-mlp/v001", again=True)
    published = RunDirectory(folder).read_claims(Claim)
    assert published["verdict"].tolist() == board["verdict"].tolist()
    own = RunDirectory(outputs / "isotropy/digits-mlp/v001").read_claims(Claim)
    assert published["low"].tolist() != own["low"].tolist()  # version 0.1 had other intervals
    assert judged_run(RunDirectory(folder)).experiment == "isotropy"


def test_a_run_without_network_a_seed_and_a_label(checkout: Path, outputs: Path) -> None:
    results = checkout / "experiments/barati2021/results/hard_points"
    run = outputs / "hard_points/v001"
    assert main(["publish", str(run)], checkout) == 0
    assert publish(run, checkout) == results / "default"  # the same configuration again
    config = RunDirectory(run).manifest()["config"]
    config["run"]["seed"] = 3
    manifest_with(run, config=config, digest="another")
    assert publish(run, checkout, label="other") == results / "other"
    shutil.move(run / "config.yaml", run / "kept")
    (run / "plan.json").unlink()
    manifest_with(run, command=["advlab", "resume", str(run)])
    assert publish(run, checkout, command="advlab experiment=hard_points run.seed=3") == results / "default-seed3"
    with pytest.raises(ConfigError, match="by --command"):
        publish(run, checkout)


def test_what_is_not_published(checkout: Path, outputs: Path) -> None:
    run = outputs / "isotropy/digits-mlp/v001"
    manifest_with(run, digest="another")
    publish(outputs / "isotropy/digits-mlp/v001", checkout)
    manifest_with(run, digest="a third")
    with pytest.raises(ConfigError, match="holds another configuration"):
        publish(run, checkout)
    publish(run, checkout, replace=True)
    with pytest.raises(ConfigError, match="make a name"):
        publish(run, checkout, label="../x")
    finished = finished_run(
        outputs / "made_up", claimed_nodes(), [claim_of("holds", quantity="of /home/x/y")], table="a\n1\n"
    )
    manifest_with(finished, command=["advlab"])
    with pytest.raises(ResultError, match="/home/x/y, a place"):
        publish(finished, checkout, label="made_up")
    (outputs / "hard_points/v001/table.csv").write_text("changed\n", encoding="utf-8")
    with pytest.raises(ResultError, match=r"table.csv does not match"):
        publish(outputs / "hard_points/v001", checkout)


def test_places() -> None:
    assert places("a/b, 1/255, f(x)/g(x), -0.1 < r, https://host/a, advlab/results, and/or, || a / b ||, 0..1") == []
    assert places('"/tmp/x", root=/data, C:\\Users\\x, ~/nets, file:///etc/x') == [
        "/tmp/x", "/data", "C:\\Users\\x", "~/nets", "file:///etc/x",
    ]  # fmt: skip
    assert command_of(["advlab", "model=x", "run.data_root=/tmp"]) == "advlab model=x"
