"""DeepFool and FGS on the device beside the CPU's: same network and images."""

from __future__ import annotations

import copy

import torch

from advlab.attacks import FGS, DeepFool
from advlab.models.forward import set_precision
from benchmarks.gpu.against_cpu import CPU
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.trained import trained_lenet
from benchmarks.report import Ratio, Report

NEARLY_ALL, RELATIVE = 0.97, 1e-3  # share of the images whose L2 agrees to so much: a search may end a step earlier


def run(report: Report, setting: Setting) -> None:
    """Success must be the same image by image, and the length nearly always."""
    set_precision("float32")
    classifier, x, y = trained_lenet()
    x, y = x[: setting.sized(100, 20)], y[: setting.sized(100, 20)]
    for name, attack in {"DeepFool": DeepFool(), "FGS": FGS()}.items():
        results = []
        for device in (CPU, setting.device):
            model = copy.deepcopy(classifier).to(device)
            result = attack(model, x.to(device), y.to(device))
            length = (result.adv.cpu() - x).flatten(1).norm(dim=1)
            results.append((result.success.cpu(), length))
        (success, length), (other_success, other_length) = results
        same = float((success == other_success).double().mean())
        both = success & other_success
        near = torch.isclose(other_length, length, rtol=RELATIVE, atol=0)[both]
        agreeing = float(near.double().mean()) if len(near) else 0.0
        title = f"{name}, lenet, {len(x)} images"
        report.ratios.append(Ratio(title, "share with the CPU's success", same, 0.0, "1", same == 1))
        report.ratios.append(
            Ratio(
                title, f"share with the CPU's L2 to {RELATIVE:g}", agreeing, 0.0, f"at least {NEARLY_ALL:g}",
                agreeing >= NEARLY_ALL,
            )
        )  # fmt: skip
