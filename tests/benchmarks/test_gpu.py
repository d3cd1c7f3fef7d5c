"""The script for a GPU: end to end on the CPU and on a pretended device, and what guards its steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from advlab.data.content import Shape
from benchmarks.gpu import defenses, fine_tuning, suite, wheels
from benchmarks.gpu.__main__ import main
from benchmarks.gpu.against_cpu import compare
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.speed import paper_forwards
from benchmarks.gpu.step import Outcome
from benchmarks.gpu.steps import STEPS
from benchmarks.gpu.suite import counted
from benchmarks.gpu.trained import trained_lenet
from benchmarks.gpu.written import table
from benchmarks.random_network import context
from benchmarks.report import Ratio, Report
from tests.helpers.long_cases import as_long


def read(folder: Path) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    text = (folder / "gpu.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return content


@pytest.mark.parametrize("option", [as_long("--pretend"), as_long("--small")])
def test_every_step_runs_on_the_cpu_and_on_a_pretended_device(option: str, tmp_path: Path) -> None:
    assert main([option, "--minutes", "30", "--output", str(tmp_path)]) == 0
    content, markdown = read(tmp_path), (tmp_path / "gpu.md").read_text(encoding="utf-8")
    states = {entry["step"]: (entry["status"], entry["note"]) for entry in content["steps"]}
    assert states == {step.name: ("done", "") for step in STEPS}
    assert all(entry["ratios"] or entry["step"] == "machine" for entry in content["steps"])
    assert content["real"] is False
    # nobody may take these for a GPU's
    assert ("NOT A GPU" if option == "--pretend" else "SMALL TRIAL") in markdown.splitlines()[0]
    speeds = [line for line in markdown.splitlines() if "time over" in line]
    assert len(speeds) == 16
    assert all(line.endswith("| not judged |") for line in speeds)
    assert "vgg16 with the paper" not in markdown
    kept = {entry["step"]: entry for entry in content["steps"]}
    assert kept["out of memory"]["ratios"][0]["value"] >= 1
    if option == "--pretend":
        assert "Pretended CUDA" in markdown


def test_a_missed_aim_counts_where_it_is_about_being_right() -> None:
    report = Report(ratios=[Ratio("attack", "success", 0.5, 0.0, "1", False)])
    assert Outcome("step", "done", report=report, required=True).wrong
    assert not Outcome("step", "done", report=report).wrong


def test_a_gpus_speeds_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Setting, "device", torch.device("cuda"))
    report = Report(ratios=[Ratio("sweep", "time over floor", 1.2, 0.1, "at most 1.05", False)])
    text = table(Setting(), [Outcome("machine", "done"), Outcome("sweep", "done", report=report)])
    assert "NOT A GPU" not in text
    assert "| sweep | time over floor | 1.2 | 0.1 | at most 1.05 | no |" in text
    assert "| not judged |" in table(Setting(pretend=True), [Outcome("sweep", "done", report=report)])


@pytest.mark.parametrize(
    ("column", "value", "which"),
    [
        ("range", 0.6, 0),
        ("range", float("nan"), 0),
        ("misclassified", 9, 1),
        ("range", 0.50001, None),
        ("noise_floor", 9.0, None),
    ],
)
def test_tables_that_differ_are_seen(column: str, value: float, which: int | None) -> None:
    cpu = pd.DataFrame({"range": [0.5, 0.1], "misclassified": [1, 2], "noise_floor": [1e-8, float("nan")]})
    other, report = cpu.copy(), Report()
    other.loc[0, column] = value
    compare(report, "isotropy", "isotropy", cpu, other)
    assert [ratio.reached for ratio in report.ratios] == [which != 0, which != 1]


def test_defenses_that_differ_from_the_cpus_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two calls for each defense, the first is the CPU's."""
    behind, calls = defenses.behind, list[int]()

    def wrong(*arguments: Any) -> torch.Tensor:
        logits = behind(*arguments)
        calls.append(0)
        return (
            logits if len(calls) % 2 else logits.roll(1, 1) if len(calls) == 2 else logits + 3e-4 * logits.abs().max()
        )

    monkeypatch.setattr(defenses, "behind", wrong)
    report = Report()
    defenses.against_cpu(report, Setting(small=True))
    assert [ratio.workload.split(",")[0] for ratio in report.ratios] == [
        name for name in ("blur", "4 crops", "openmax") for _ in range(2)
    ]
    # of blur the classes are others, crops' logits are beyond their tolerance, and OpenMax's within its own
    assert [ratio.reached for ratio in report.ratios] == [False, False, False, True, True, True]


def test_a_fine_tuning_that_goes_another_way_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    tuned, seen = fine_tuning.fine_tuned, list[int]()

    def wrong(network: Any, pixels: torch.Tensor, labels: torch.Tensor, steps: int, device: Any) -> Any:
        seen.append(steps)
        return tuned(network, pixels, labels if len(seen) < 3 else (labels + 1) % 10, steps, device)

    monkeypatch.setattr(fine_tuning, "fine_tuned", wrong)
    report = Report()
    fine_tuning.against_cpu(report, Setting(small=True))
    assert seen == [5, 10, 5, 10]
    assert [ratio.reached for ratio in report.ratios] == [False, False, False]


def test_images_to_fine_tune_on_are_adversarial() -> None:
    classifier, _, _ = trained_lenet()
    pixels, labels = fine_tuning.adversarial_images(150)
    assert pixels.dtype == torch.uint8
    assert len(pixels) > 100
    assert bool((classifier(pixels / 255).argmax(1) != labels).all())


@pytest.mark.parametrize(
    ("p_value", "aim"), [(0.504, "at most 0.007"), (0.5, "at most 0.001"), (0.51, "at most 0.007")]
)
def test_a_column_may_have_a_tolerance_of_its_own(p_value: float, aim: str) -> None:
    cpu = pd.DataFrame({"p_value": [0.5, 1.0], "mantel_r": [0.2, 0.1]})
    other = pd.DataFrame({"p_value": [p_value, 1.0], "mantel_r": [0.20004, 0.1]})
    report = Report()
    compare(report, "topology", "topology", cpu, other)
    assert (report.ratios[0].aim, report.ratios[0].reached) == (aim, p_value < 0.507)


@pytest.mark.parametrize(("name", "shape", "classes"), [("vgg16", (3, 32, 32), 10), ("ciresan", (3, 48, 48), 43)])
def test_the_networks_of_a_full_size_run_are_there(name: str, shape: Shape, classes: int, tmp_path: Path) -> None:
    """A trial has smaller ones."""
    cpu = torch.device("cpu")
    ctx = context(name, shape, classes, 1, cpu, tmp_path, batch_size=1, radii=(1.0,))
    assert ctx.forward(ctx.data.images(torch.tensor([0]))).isfinite().all()


def test_forwards_of_figure_1() -> None:
    assert paper_forwards() == 300 * (2 * 21 * 100 + 1)


def test_failed_tests_are_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "tests.xml").write_text(
        '<testsuites><testsuite errors="0" failures="1" skipped="2" tests="5"><testcase classname="tests.a" name="b">'
        '<failure message="assert 1 == 2&#10; | more">..</failure></testcase></testsuite></testsuites>'
    )
    counts, failed = counted(tmp_path / "tests.xml")
    assert counts == {"tests": 5, "failures": 1, "errors": 0, "skipped": 2}
    assert failed == [{"test": "tests.a::b", "message": "assert 1 == 2 / more"}]


def test_tests_that_take_too_long_leave_what_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert suite.ended([sys.executable, "-c", "import time; time.sleep(600)"], 0.2)[1]
    (tmp_path / "test_slow.py").write_text(
        "import os, signal\ndef test_soon():\n    pass\ndef test_late():\n    os.kill(os.getpid(), signal.SIGINT)\n"
    )  # interrupts itself, as `ended` does after some time
    monkeypatch.setattr(suite, "TRIAL", (str(tmp_path / "test_slow.py"),))
    ended = suite.ended
    monkeypatch.setattr(suite, "ended", lambda command, seconds: (ended(command, seconds)[0], True))
    report = Report()
    with pytest.raises(RuntimeError, match="not through after 140 s"):
        suite.run(report, Setting(small=True))
    assert {ratio.quantity: ratio.value for ratio in report.ratios} == {"that failed": 0, "that ran": 1}


def test_too_many_wheels_are_refused_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "torch-2-py3-none-any.whl").open("wb") as file:
        file.truncate(wheels.LIMIT + 1)
    (tmp_path / "hydra-1-py3-none-any.whl").write_bytes(b"")
    assert main(["--small", "--wheels", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert "64.0 MiB, and at most 64 MiB" in message
    assert "torch-2" in message
    assert not (tmp_path / "out").exists()


def test_no_wheels_and_broken_ones_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--small", "--wheels", str(tmp_path)]) == 2
    assert "holds no wheels" in capsys.readouterr().err
    (tmp_path / "hydra-1-py3-none-any.whl").write_bytes(b"no zip")
    assert main(["--small", "--wheels", str(tmp_path)]) == 2
    assert "pip cannot install" in capsys.readouterr().err


def test_the_checkout_runs_without_being_installed(tmp_path: Path) -> None:
    wheels.link_checkout(tmp_path)
    code = (
        "import advlab, advlab.configs, advlab.experiments.aghdam2017.isotropy as i; print(advlab.__file__, i.__file__)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert all(path.startswith(str(tmp_path)) for path in done.stdout.split())


def test_a_machine_without_cuda_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main([]) == 2
    assert "--small" in capsys.readouterr().err
