"""Attacks beside their peers on the same networks and images: quality and speed in one run, judged by the same code."""

from __future__ import annotations

import logging
import statistics

import torch
from torch import Tensor, nn

from advlab.attacks import FGS, PGD, DeepFool
from advlab.engine.device import choose_device
from advlab.errors import AdvlabError
from advlab.metrics.pass_score import pass_score
from advlab.models.classifier import frozen
from advlab.models.forward import set_precision
from benchmarks import peers
from benchmarks.contest import (
    Side,
    Work,
    clocked,
    compete,
    distances,
    faster,
    load,
    ours,
    quality,
    standing,
    theirs,
)
from benchmarks.large_network import large
from benchmarks.report import Ratio, Report
from benchmarks.smallest_epsilon import smallest_fgs
from benchmarks.universal import universal

log = logging.getLogger(__name__)

WORKLOADS = {"lenet_mnist": (1000, 0.3), "cifar_vgg": (300, 10 / 255)}  # images, and the bound of the UAP


def run(report: Report, *, repeats: int, images: int) -> None:
    """Lenet on MNIST and the VGG of CIFAR-10 from the user's cache; resnet50 with random weights on a GPU."""
    repeats, device = repeats or 3, choose_device("auto")
    set_precision("float32")
    for name, (count, epsilon) in WORKLOADS.items():
        try:
            work = load(name, images or count, epsilon, images)
        except AdvlabError as error:
            report.ratios.append(Ratio(name, "everything", torch.nan, 0.0, f"not run: {error}", False))
            continue
        with frozen(work.model):
            for contest in (unclipped, in_the_box, nearest, smallest_fgs, universal, pgd, similarity):
                log.info("%s: %s", name, contest.__name__)
                contest(report, work, repeats)
    if device.type == "cuda":
        large(report, device, images or 512)
    else:
        report.ratios.append(Ratio("resnet50 at 224", "overhead", torch.nan, 0.0, "no CUDA device here", False))


def unclipped(report: Report, work: Work, repeats: int) -> None:
    """DeepFool as the papers: images may leave the box."""
    title = "DeepFool, clip: none"
    sides = compete(
        [
            ours("ours", DeepFool(clip="none"), work),
            ours("ours, exact", DeepFool(clip="none", exact=True), work),
            theirs(peers.DeepFoolLTS4, "deepfool", work),
        ],
        work.model, work.x, work.y, repeats,
    )  # fmt: skip
    means = standing(report, title, work, sides, box=False)
    success = float(distances(work, sides["ours"], box=False)[0].double().mean())
    quality(report, work, title, "success", success, "1", success == 1)
    theirs_mean, own = means.get("LTS4", (torch.nan, torch.nan))
    quality(
        report,
        work,
        title,
        "mean L2 over LTS4's",
        own / theirs_mean,
        "0.99 to 1.01",
        abs(own / theirs_mean - 1) <= 0.01,
    )
    faster(report, work, title, sides["ours"], sides["LTS4"], 4)
    differing(report, work, title, sides)


def in_the_box(report: Report, work: Work, repeats: int) -> None:
    """DeepFool with images that stay in [0, 1]."""
    title = "DeepFool, clip: each"
    rivals = {
        "foolbox": peers.Foolbox, "adv-lib": peers.AdvLib, "ART": peers.Art, "torchattacks": peers.Torchattacks
    }  # fmt: skip
    sides = compete(
        [
            ours("ours", DeepFool(clip="each"), work),
            ours("ours, exact", DeepFool(clip="each", exact=True), work),
            *(theirs(kind, "deepfool", work) for kind in rivals.values()),
        ],
        work.model, work.x, work.y, repeats,
    )  # fmt: skip
    means = standing(report, title, work, sides, box=True)
    theirs_mean, own = means.get("foolbox", (torch.nan, torch.nan))
    quality(report, work, title, "mean L2 over foolbox's", own / theirs_mean, "at most 1", own <= theirs_mean)
    ran = [sides[name] for name in rivals if sides[name].seconds]
    faster(report, work, title, sides["ours"], max(ran, key=lambda side: side.rate, default=None), 2)
    differing(report, work, title, sides)


def differing(report: Report, work: Work, title: str, sides: dict[str, Side]) -> None:
    """Steps at which the economical choice of rivals is not that of the full Jacobian."""
    share = sides["ours, exact"].result.facts["rival_differs"]
    quality(report, work, title, "share of steps whose rival differs", share, "at most 0.001", share <= 1e-3)


def nearest(report: Report, work: Work, repeats: int) -> None:
    """DeepFool that goes on along the boundary, beside attacks that look for the smallest perturbation."""
    title = "nearest in L2, in the box"
    sides = compete(
        [
            ours("ours, refined", DeepFool(refine=True), work),
            theirs(peers.AdvLib, "ddn", work, "adv-lib DDN-100"),
            theirs(peers.AdvLib, "superdeepfool", work, "adv-lib SuperDeepFool"),
            theirs(peers.SuperDeepFool, "superdeepfool", work),
        ],
        work.model, work.x, work.y, repeats,
    )  # fmt: skip
    means = standing(report, title, work, sides, box=True)
    theirs_mean, own = means.get("adv-lib DDN-100", (torch.nan, torch.nan))
    quality(report, work, title, "mean L2 over DDN-100's", own / theirs_mean, "at most 1.03", own <= 1.03 * theirs_mean)
    faster(report, work, title, sides["ours, refined"], sides["adv-lib DDN-100"], 2)


def pgd(report: Report, work: Work, repeats: int) -> None:
    """Forty steps too short to succeed, so that none ends early, over forty bare forwards and backwards."""
    steps, batch = 40, 256
    attack = PGD(steps=steps, epsilon=1e-3, random_start=False)

    def bare(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        for part, labels in zip(x.split(batch), y.split(batch), strict=True):
            for _ in range(steps):
                leaf = part.detach().requires_grad_()
                torch.autograd.grad(nn.functional.cross_entropy(model(leaf), labels, reduction="sum"), leaf)
        return x

    sides = compete(
        [ours("ours", attack, work), Side("bare loop", torch.__version__, bare, len(work.x))],
        work.model, work.x, work.y, repeats,
    )  # fmt: skip
    a, b = sides["ours"], sides["bare loop"]
    each = [one / other for one, other in zip(a.seconds, b.seconds, strict=True)]
    value, spread = statistics.median(each), max(each) - min(each)
    title = f"{work.name}, PGD, {steps} steps"
    quantity = "time over bare forwards and backwards"
    report.ratios.append(Ratio(title, quantity, value, spread, "at most 1.1", value <= 1.1))
    passes = a.result.backwards / (steps * len(work.x))
    report.facts[f"{work.name}, PGD"] = f"{passes:.3f} of the loop's backwards, {a.rate:,.0f} images/s"


def similarity(report: Report, work: Work, repeats: int) -> None:
    """PASS of 1000 pairs of 28x28."""
    if work.x.shape[1:] != (1, 28, 28):
        return
    adv = FGS()(work.model, work.x, work.y).adv
    index = torch.arange(1000) % len(adv)
    seconds = [clocked(lambda: pass_score(work.x[index], adv[index]))[0] for _ in range(repeats)]
    value, spread = statistics.median(seconds), max(seconds) - min(seconds)
    quantity = "seconds for 1000 pairs of 28x28"
    report.ratios.append(Ratio(f"{work.name}, PASS", quantity, value, spread, "at most 5", value <= 5))
