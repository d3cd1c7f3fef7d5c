"""Attacks beside their peers on the same networks and images: quality and speed in one run, judged by the same code."""

from __future__ import annotations

import logging
import statistics
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import resnet50

import advlab
from advlab.attacks import FGS, PGD, UAP, DeepFool
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
    pace,
    quality,
    standing,
    theirs,
)
from benchmarks.report import Ratio, Report

log = logging.getLogger(__name__)

RESOLUTION = 1 / 255
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


def smallest_fgs(report: Report, work: Work, repeats: int) -> None:
    """The smallest epsilon along the sign of the gradient, beside ART's smallest of twenty."""
    title = "smallest epsilon of FGS"
    sides = compete(
        [ours("ours", FGS(bisections=1), work), fgs_peer(work)],
        work.model, work.x, work.y, repeats,
    )  # fmt: skip
    standing(report, title, work, sides, box=True)
    faster(report, work, title, sides["ours"], sides["ART"], 3)
    excess = above_first_flip(work, sides["ours"].result)
    quality(
        report, work, title, "epsilon above the first flip of a scan", excess, f"at most {RESOLUTION:.4f}", excess <= RESOLUTION
    )  # fmt: skip


def fgs_peer(work: Work) -> Side:
    """ART on all images: this attack of it is not slow."""
    side = theirs(peers.Art, "fgs", work)
    side.count = len(work.x) if side.call else 0
    return side


def above_first_flip(work: Work, result: Any, count: int = 200, finer: int = 8) -> float:
    """The largest difference, over images, to the first weight that flips in a scan of an eighth of the resolution."""
    worst = 0.0
    for x, y, weight, found in zip(work.x[:count], work.y[:count], result.epsilon, result.success, strict=False):
        if not found:
            continue
        leaf = x[None].clone().requires_grad_()
        (slope,) = torch.autograd.grad(nn.functional.cross_entropy(work.model(leaf), y[None]), leaf)
        weights = torch.arange(1, int(float(weight) / RESOLUTION * finer) + 2, device=x.device) * (RESOLUTION / finer)
        with torch.no_grad():
            points = (x + weights[:, None, None, None] * slope.sign()).clamp(0, 1)
            flips = torch.cat([work.model(part) for part in points.split(512)]).argmax(1) != y
        if bool(flips.any()):
            worst = max(worst, float(weight - weights[flips.nonzero()[0, 0]]))
    return worst


def universal(report: Report, work: Work, repeats: int) -> None:
    """One perturbation from training images, judged on images that it has not seen."""
    title, passes = f"UAP on {len(work.train)} images, linf {work.epsilon:.3f}", 10
    with torch.no_grad():
        labels = torch.cat([work.model(part) for part in work.train.split(256)]).argmax(1)
        clean = torch.cat([work.model(part) for part in work.held_out.split(256)]).argmax(1)
    attacks = {
        "ours": UAP(epsilon=work.epsilon, passes=passes),
        "ours, minibatch": UAP(epsilon=work.epsilon, passes=passes, mode="minibatch"),
    }
    sides = []
    for name, attack in attacks.items():
        side = Side(name, advlab.__version__, None, len(work.train))
        side.call = lambda model, x, y, a=attack: a(model, x, y).universal  # type: ignore[misc]
        sides.append(side)
    for kind in (peers.Art, peers.UniversalLTS4):
        side = theirs(kind, "uap", work)
        if side.call is not None:
            side.count, peer_call = min(kind.limit, len(work.train)), side.call
            side.call = lambda model, x, y, c=peer_call: c(model, x, work.epsilon, passes)  # type: ignore[misc]
        sides.append(side)
    done = compete(sides, work.model, work.train, labels, repeats)
    rates, rows = {}, []
    for side in done.values():
        rate = [torch.nan, torch.nan]
        if side.result is not None:
            moved = work.held_out + side.result
            with torch.no_grad():
                for k, images in enumerate((moved.clamp(0, 1), moved)):
                    after = torch.cat([work.model(part) for part in images.contiguous().split(256)]).argmax(1)
                    rate[k] = float((after != clean).double().mean())
        rates[side.name] = rate
        length = torch.nan if side.result is None else float(side.result.abs().max())
        rows.append(
            {
                "side": side.name, "version": side.version, "images": side.count, "linf": length, "fooled, clipped": rate[0],
                "fooled, unclipped": rate[1], "seconds": side.count / side.rate, **pace(side),
            }
        )  # fmt: skip
    report.tables[f"{work.name}: {title}, {len(work.held_out)} held out"] = rows
    for k, what in enumerate(("clipped", "unclipped")):
        a, b = rates["ours"][k], rates["LTS4"][k]
        quality(report, work, title, f"held-out fooling rate over LTS4's, {what}", a / b, "at least 1", a >= b)
    faster(report, work, title, done["ours"], done["ART"], 10)
    faster(report, work, title, done["ours"], done["LTS4"], 2)


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


def large(report: Report, device: torch.device, count: int, size: int = 224, batch: int = 64) -> None:
    """DeepFool and UAP on resnet50 with random weights: images a second, and what is neither forward nor backward."""
    torch.manual_seed(0)
    model = resnet50().to(device).eval().to(memory_format=torch.channels_last)
    x = torch.rand((count, 3, size, size), device=device).contiguous(memory_format=torch.channels_last)
    attacks = {"DeepFool, 10 candidates": DeepFool(candidates=10, clip="none"), "UAP": UAP(passes=1)}
    with frozen(model):
        with torch.no_grad():
            y = torch.cat([model(part) for part in x.split(batch)]).argmax(1)
        forward, backward = unit_costs(model, x[:batch])
        rows = []
        for name, attack in attacks.items():
            attack(model, x[:batch], y[:batch], batch_size=batch)
            seconds, result = clocked(lambda a=attack: a(model, x, y, batch_size=batch))  # type: ignore[misc]
            share = 1 - (result.forwards * forward + result.backwards * backward) / seconds
            rows.append(
                {
                    "attack": name, "images": count, "images/s": count / seconds, "forwards": result.forwards,
                    "backwards": result.backwards, "neither forward nor backward": share,
                }
            )  # fmt: skip
    report.tables[f"resnet50 at {size}, random weights, batches of {batch}"] = rows


def unit_costs(model: nn.Module, x: Tensor, repeats: int = 5) -> tuple[float, float]:
    """Seconds of a forward, and of a backward to the input, for one image of a full batch."""

    def forward() -> None:
        with torch.no_grad():
            model(x)

    def both() -> None:
        leaf = x.detach().requires_grad_()
        torch.autograd.grad(model(leaf).sum(), leaf)

    for call in (forward, both):
        call()
    f = statistics.median(clocked(forward)[0] for _ in range(repeats)) / len(x)
    return f, statistics.median(clocked(both)[0] for _ in range(repeats)) / len(x) - f
