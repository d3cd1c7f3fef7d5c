"""`python -m benchmarks.snapshot.attacks FOLDER`: what every case of the attacks' contract returns, as text."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from advlab.attacks import Library
from advlab.attacks.results import AttackResult
from tests.helpers.attack_cases import CASES, CLASSES, Case, ids
from tests.helpers.networks import make_network

SETTINGS = (((2, 5, 9), 8), ((1, 12, 12), 20))  # shapes (C, H, W) of images, and how many
#: fields of a result with one entry an image
FIELDS = ("success", "eligible", "status", "prediction", "margin", "distance", "steps", "epsilon")


def keep_attacks(folder: Path) -> None:
    """Write a file for each kind of attack: its cases on two random networks, in float32 and float64."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for kind, cases in CASES.items():
        results = {}
        for case in cases:
            if isinstance(case.attack, Library) and importlib.util.find_spec(case.attack.library) is None:
                continue
            for dtype in (torch.float32, torch.float64):
                for shape, count in SETTINGS:
                    results[f"{ids(case)}, {dtype}, {shape}"] = as_text(attacked(case, shape, count, dtype))
        (folder / f"{kind}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def attacked(case: Case, shape: tuple[int, int, int], count: int, dtype: torch.dtype) -> AttackResult:
    """The result of a case on random images of whole grey levels, the last of which has a wrong label."""
    model = make_network(shape, CLASSES).to(dtype)
    generator = torch.Generator().manual_seed(count)
    x = (torch.rand((count, *shape), generator=generator, dtype=torch.float64) * 1.2 - 0.1).clamp(0, 1)
    x = ((x * 255).round() / 255).float().to(dtype)
    with torch.no_grad():
        y = model(x).argmax(1)
    y[-1] = (y[-1] + 1) % CLASSES
    targets = {"targets": (y + 2) % CLASSES} if case.targeted else {}
    return case.attack(model, x, y, batch_size=6, **targets)


def as_text(result: AttackResult) -> dict[str, Any]:
    """Numbers of each image to their last bit, and digests of the images."""
    numbers = {name: str(getattr(result, name).tolist()) for name in FIELDS}
    return {
        **numbers, "forwards": result.forwards, "backwards": result.backwards, "adv": digest(result.adv),
        "universal": None if result.universal is None else digest(result.universal),
        "facts": {name: value if isinstance(value, int | str) else repr(value) for name, value in result.facts.items()},
    }  # fmt: skip


def digest(x: Tensor) -> str:
    """Shape, type and SHA-256 of the bytes."""
    return f"{tuple(x.shape)} {x.dtype} {hashlib.sha256(x.detach().contiguous().numpy().tobytes()).hexdigest()}"


if __name__ == "__main__":
    keep_attacks(Path(sys.argv[1]))
