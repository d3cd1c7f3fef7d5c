"""DeepFool beside foolbox's and torchattacks', on the same networks and images, in the same run."""

from __future__ import annotations

import copy
from functools import partial

import torch
from torch import nn
from torchvision.models import resnet18, resnet50

import advlab
from advlab.attacks import DeepFool
from advlab.models.classifier import frozen
from advlab.models.forward import set_precision
from benchmarks import peers
from benchmarks.contest import Side, Work, compete, faster, ours, standing, theirs
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.trained import trained_lenet
from benchmarks.report import Report

AIM = 5  # times as fast as the fastest peer
RIVALS = {"foolbox": peers.Foolbox, "torchattacks": peers.Torchattacks}


def lenet(report: Report, setting: Setting) -> None:
    """A LeNet that was trained on the embedded digits."""
    classifier, x, y = trained_lenet()
    count = setting.sized(300, 3)
    model = copy.deepcopy(classifier).to(setting.device)
    contest(
        report, setting, work_of("lenet", model, x[:count].to(setting.device), y[:count].to(setting.device)), 20, 4096
    )


def resnet(report: Report, setting: Setting) -> None:
    """resnet50 at 224x224 with random weights and ten classes, of which torchattacks takes all (a small trial: resnet18 at 32).

    With ten classes, foolbox and ours take all as well: every side does the same work.
    """
    torch.manual_seed(0)
    name, build, size = ("resnet18", resnet18, 32) if setting.trial else ("resnet50", resnet50, 224)
    model = build(num_classes=10).eval().to(setting.device)
    x = torch.rand((setting.sized(64, 1), 3, size, size)).to(setting.device)
    with torch.no_grad():
        y = model(x).argmax(1)
    contest(report, setting, work_of(f"{name} at {size}, random weights", model, x, y), least=8)


def work_of(name: str, model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Work:
    """A network and images, without the data of a universal perturbation, which is not asked for."""
    return Work(name, model, x, y, x[:0], x[:0], 0.0)


def contest(report: Report, setting: Setting, work: Work, least: int, batch_size: int = 0) -> None:
    """All sides in turn, judged by the same code; torchattacks, which takes one image after the other, on `least` images.

    With `batch_size` ours runs a second time, with so many images a forward, as a run finds for a small network.
    """
    set_precision("float32")
    title, attack = "DeepFool, clip: each", DeepFool(clip="each")
    rivals = {name: theirs(kind, "deepfool", work) for name, kind in RIVALS.items()}
    rivals["torchattacks"].count = min(least, rivals["torchattacks"].count)
    contenders = [ours("ours", attack, work), *rivals.values()]
    large = f"ours, {batch_size} a forward"
    if batch_size:
        batch_attack = partial(attack, batch_size=batch_size)
        contenders.append(Side(large, advlab.__version__, batch_attack, len(work.x)))
    with frozen(work.model):
        sides = compete(contenders, work.model, work.x, work.y, setting.sized(3, 1))
        standing(report, title, work, sides, box=True)
    ran = [sides[name] for name in RIVALS if sides[name].seconds]
    for name in ("ours", large) if batch_size else ("ours",):
        faster(report, work, title, sides[name], max(ran, key=lambda side: side.rate, default=None), AIM)
