"""What users' own networks do that ours do not, and runs that are drawn or gone on with from somewhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import advlab
from tests.helpers.long_cases import one_in

HEADER = """
import advlab, numpy as np, torch
from torch import nn

@advlab.dataset("noise")
def noise(split: str, count: int = 40):
    images = np.random.default_rng(1).integers(0, 256, (count, 12, 12, 3), dtype=np.uint8)
    with torch.no_grad():
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        labels = network()(x).argmax(1).numpy()
    return images, labels, ["=a()", "$b_1$", "<img onerror=1>"]

def network(kind="plain"):
    torch.manual_seed(0)
    return KINDS[kind]().eval()

@advlab.model("foreign", input_shape=(3, 12, 12), dataset="noise")
def build(kind: str = "plain"):
    return network(kind)
"""
NETWORKS = """
class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.body, self.out = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, stride=2), nn.Linear(128, 3)
    def forward(self, x):
        return self.out(torch.relu(self.body(torch.relu(self.stem(x)))).flatten(1))

class WritesItsInput(Plain):
    def forward(self, x):
        return super().forward(x.sub_(0.0).mul_(1.0).add_(0.25).sub_(0.25))

class Overwrites(Plain):
    def forward(self, x):
        out = super().forward(x)
        x.zero_()
        return out

class Views(Plain):
    def forward(self, x):
        y = torch.relu(self.stem(x))
        y = y.view(y.size(0), -1).view(y.shape)
        return super().forward(x)

class NoLayers(nn.Module):
    def __init__(self):
        super().__init__()
        plain = Plain()
        self.w = nn.ParameterList([plain.stem.weight, plain.body.weight, plain.out.weight])
        self.b = nn.ParameterList([plain.stem.bias, plain.body.bias, plain.out.bias])
    def forward(self, x):
        f = nn.functional
        y = torch.relu(f.conv2d(torch.relu(f.conv2d(x, self.w[0], self.b[0])), self.w[1], self.b[1], stride=2))
        return f.linear(y.flatten(1), self.w[2], self.b[2])

KINDS = {"plain": Plain, "writes": WritesItsInput, "overwrites": Overwrites, "views": Views, "nolayers": NoLayers}
"""
OPTIONS = ("probe.samples=2", "probe.trials=6", "probe.radii=[0.1,1]", "probe.confidence=0", "run.batch_size=5")


@pytest.fixture
def plugin(tmp_path: Path) -> str:
    path = tmp_path / "foreign.py"
    path.write_text(HEADER + NETWORKS, encoding="utf-8")
    return str(path)


def table(cli: Callable[..., Any], plugin: str, kind: str, root: str) -> Any:
    ended = cli("--plugin", plugin, "model=foreign", f"model.kind={kind}", f"run.output_root={root}", *OPTIONS)
    assert ended.code == 0, ended.err
    return advlab.load(Path(root) / "isotropy" / "noise-foreign" / "v001").table


@pytest.mark.parametrize("kind", one_in(2, ["writes", "overwrites", "views", "nolayers"]))
def test_the_same_function_gives_the_same_table_however_it_is_written(
    cli: Callable[..., Any], plugin: str, kind: str
) -> None:
    plain, other = table(cli, plugin, "plain", "plain"), table(cli, plugin, kind, "other")
    assert list(plain["sample"]) == list(other["sample"])
    for column in ("range", "mean_score", "clean_error_probability"):
        assert other[column].to_numpy() == pytest.approx(plain[column].to_numpy(), abs=2e-6)
    assert (plain["range"] > 0).all()


def test_a_run_on_a_relative_folder_goes_on_from_anywhere(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / "my images" / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (9 + i, 20), (60 * i, 90 if name == "a" else 0, 40)).save(
                tmp_path / "my images" / name / f"{i}.png"
            )
    file = tmp_path / "two.py"
    file.write_text(
        "import advlab, torch\nfrom torch import nn\n\n"
        '@advlab.model("two", input_shape=(3, 8, 8))\ndef build():\n    torch.manual_seed(1)\n'
        "    return nn.Sequential(nn.Flatten(), nn.Linear(192, 2))\n",
        encoding="utf-8",
    )
    line = ("--plugin", str(file), "model=two", "dataset=folder", "dataset.root='my images'", *OPTIONS)
    assert cli(*line).code == 0
    run = tmp_path / "outputs" / "isotropy" / "my_images-two" / "v001"
    before = (run / "table.csv").read_bytes()
    for name in ("table.csv", "manifest.json"):
        (run / name).unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert cli("--plugin", str(file), "resume", str(run)).code == 0
    assert (run / "table.csv").read_bytes() == before


@pytest.mark.renders
def test_runs_of_one_name_and_version_stay_apart(cli: Callable[..., Any], plugin: str, tmp_path: Path) -> None:
    for root in ("one", "two"):
        table(cli, plugin, "plain", root)
    runs = [str(tmp_path / root / "isotropy" / "noise-foreign" / "v001") for root in ("one", "two")]
    ended = cli("plot", *runs, runs[0], "--output", "both.png")
    assert ended.code == 0
    assert (tmp_path / "both.png").stat().st_size > 10_000
    assert "holds in" in ended.out


def test_two_commands_of_one_allocation_do_not_meet(
    cli: Callable[..., Any], plugin: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    table(cli, plugin, "plain", "out")
    family = tmp_path / "out" / "isotropy" / "noise-foreign"
    (family / "v001" / "manifest.json").unlink()  # as if the first were still at work
    assert cli("--plugin", plugin, "model=foreign", "run.output_root=out", *OPTIONS).code == 0
    assert (family / "v002" / "manifest.json").is_file()
