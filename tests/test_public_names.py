"""What a user imports from where: the short lists that the API reference names, and nothing hides one of them."""

from __future__ import annotations

import importlib
import re

import pytest

from tests.helpers.import_graph import MODULE_FILES, ROOT

#: what a user imports, from where: package -> names
PUBLIC = {
    "advlab": {
        "Run", "Sweep", "__version__", "attack", "claims", "compare", "dataset", "defense", "experiment", "load", "model", "report",
        "run", "sweep",
    },
    "advlab.attacks": {
        "APGD", "Attack", "DeepFool", "FGS", "FGV", "Fooling", "HotCold", "LBFGS", "Library", "Noise", "PGD", "Saliency", "UAP",
    },
    "advlab.defenses": {
        "Binarize", "BitDepth", "Blur", "Chain", "Combined", "Crops", "Defense", "Jpeg", "Noise", "OpenMax", "Project", "Resample",
        "RescaleCrops", "Round", "Shift", "SoftmaxThreshold",
    },
    "advlab.lab": {
        "Arrays", "Cell", "ChoicesOf", "Cost", "DataContext", "DeviceContext", "Experiment", "Figure", "Frame", "NetworkContext",
        "InRange", "RunContext", "Settings", "Stage", "frame_of",
    },
    "advlab.testing": {"context", "measured", "settings_of"},
    "advlab.statistics": {
        "Claim", "Interval", "NOT_MEASURED", "Verdict", "exact", "judge", "judge_networks", "lower_bound", "mean_interval",
        "median_interval", "rank_correlation", "share_interval", "simultaneous", "upper_bound",
    },
}  # fmt: skip


@pytest.mark.parametrize("package", sorted(PUBLIC))
def test_public_names(package: str) -> None:
    """They are those that docs/reference/index.md lists, and none is hidden by a file or folder: `advlab.attack` is a decorator."""
    module = importlib.import_module(package)
    assert set(module.__all__) == PUBLIC[package]
    assert not PUBLIC[package] & {path.stem for path in MODULE_FILES[package].parent.iterdir()}
    for name in PUBLIC[package]:
        assert getattr(module, name) is not None
    reference = (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8")
    (listed,) = re.findall(rf"^\| \[`{re.escape(package)}`\]\([a-z]+\.md\) \|(.*)\|$", reference, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", listed)) == PUBLIC[package] - {"__version__"}
