"""What every contest of attacks needs: trained networks and images, sides that are timed in turn, one judge for all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

import advlab
from advlab.attacks import Attack
from advlab.config.compose import Composer
from advlab.engine.setup import build_context
from advlab.errors import AdvlabError
from advlab.lab import NetworkContext
from advlab.models.classifier import frozen
from benchmarks import peers
from benchmarks.report import Ratio, Report, synchronise

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
FOLDERS = {"cifar_vgg": "cifar10-jpeg"}  # under the data root, where the dataset itself is not there
UAP_IMAGES, HELD_OUT = 500, 2000

Call = Callable[[nn.Module, Tensor, Tensor], Any]


@dataclass
class Work:
    """A trained network, images that it classifies correctly, and the data of a universal perturbation."""

    name: str
    model: nn.Module
    x: Tensor
    y: Tensor
    train: Tensor
    held_out: Tensor
    epsilon: float


@dataclass
class Side:
    """One contender: what it gave the first time, and the seconds of each turn in its faster memory format."""

    name: str
    version: str
    call: Call | None
    count: int
    note: str = ""
    format: str = "contiguous"
    result: Any = None
    seconds: list[float] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Images a second in each turn."""
        return [self.count / seconds for seconds in self.seconds]

    @property
    def rate(self) -> float:
        """Their median; NaN: not run."""
        return statistics.median(self.rates) if self.seconds else torch.nan


def load(name: str, count: int, epsilon: float, images: int) -> Work:
    """The first `count` test images that the network classifies correctly.

    Raises:
        AdvlabError: data or trained weights are not in the user's cache.
    """
    overrides = ["experiment=isotropy", f"model={name}", "run.dry=true"]  # a dry run fetches and trains nothing
    with Composer(None) as composer:
        settings = composer.settings(overrides)
        folder = settings.run.path("data_root") / FOLDERS.get(name, "")
        if name in FOLDERS and folder.is_dir():  # CIFAR-10 as a folder of images
            settings = composer.settings(
                [*overrides, "dataset=folder", f"dataset.root={folder}", "dataset.label=cifar10"]
            )
    ctx = build_context(settings, None, lambda *_: None)
    assert isinstance(ctx, NetworkContext)
    if not ctx.facts["model"]["origin"].startswith("trained"):
        raise AdvlabError(f"{name} is not trained yet: `advlab model={name}` does it")
    test, model = ctx.data, ctx.classifier
    chosen = torch.zeros(0, dtype=torch.int64)
    with frozen(model), torch.no_grad():
        for index in torch.arange(len(test)).split(500):
            hit = (model(test.images(index)).argmax(1) == test.labels[index]).cpu()
            chosen = torch.cat([chosen, index[hit]])
            if len(chosen) >= count:
                break
    chosen = chosen[:count]
    train = ctx.split("train").images(torch.arange(images or UAP_IMAGES))
    held_out = test.images(torch.arange(min(len(test), HELD_OUT)))
    return Work(name, model, test.images(chosen), test.labels[chosen], train, held_out, epsilon)


def ours(name: str, attack: Attack, work: Work) -> Side:
    """One of this project's attacks, on all images; gives the whole result."""
    return Side(name, advlab.__version__, lambda model, x, y: attack(model, x, y), len(work.x))


def theirs(kind: type[peers.Peer], method: str, work: Work, name: str = "") -> Side:
    """A peer, or the reason why it is not run."""
    try:
        peer = kind()
    except peers.Missing as missing:
        return Side(name or kind.name, "", None, 0, str(missing))
    return Side(name or kind.name, peer.version, getattr(peer, method), min(peer.limit, len(work.x)))


def compete(sides: list[Side], model: nn.Module, x: Tensor, y: Tensor, repeats: int) -> dict[str, Side]:
    """Every side in turn, after a warm-up on two images; both memory formats in the first turn, then the faster."""
    for turn in range(repeats):
        for side in sides:
            if side.call is None:
                continue
            tried = {}
            for name in FORMATS if turn == 0 else [side.format]:
                model.to(memory_format=FORMATS[name])  # type: ignore[call-overload]
                images = x[: side.count].contiguous(memory_format=FORMATS[name])
                try:
                    if turn == 0:
                        side.call(model, images[:2], y[:2])
                    tried[name], result = clocked(lambda s=side, i=images: s.call(model, i, y[: s.count]))  # type: ignore[misc]
                except Exception as error:  # whatever a peer raises ends its row, not the benchmark
                    side.call, side.note = None, f"failed: {type(error).__name__}: {error}"
                    break
                side.result = result if side.result is None else side.result
            if side.call is not None:
                side.format = min(tried, key=tried.__getitem__)
                side.seconds.append(tried[side.format])
    return {side.name: side for side in sides}


def clocked(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what the call gives."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    synchronise(device)
    start = time.perf_counter()
    result = call()
    synchronise(device)
    return time.perf_counter() - start, result


def distances(work: Work, side: Side, box: bool) -> tuple[Tensor, Tensor]:
    """(n,) success, checked again, and L2; what must be in the box is clipped first, whoever made it."""
    adv = side.result if isinstance(side.result, Tensor) else side.result.adv
    adv = adv.detach().clamp(0, 1) if box else adv.detach()
    n = len(adv)
    with torch.no_grad():
        found = torch.cat([work.model(part) for part in adv.contiguous().split(256)]).argmax(1) != work.y[:n]
    return found, (adv - work.x[:n]).flatten(1).norm(dim=1)


def standing(
    report: Report, title: str, work: Work, sides: dict[str, Side], box: bool
) -> dict[str, tuple[float, float]]:
    """The table of a contest; gives each side's mean L2 and, on the same images, that of the first side."""
    reference = distances(work, next(iter(sides.values())), box)
    rows, means = [], {}
    for side in sides.values():
        rate, mean, first = torch.nan, torch.nan, torch.nan
        if side.result is not None:
            found, length = distances(work, side, box)
            both = found & reference[0][: len(found)]
            rate, mean, first = float(found.double().mean()), float(length[found].mean()), float(length[both].mean())
            means[side.name] = (first, float(reference[1][: len(found)][both].mean()))
        rows.append(
            {
                "side": side.name, "version": side.version, "images": side.count, "success": rate, "mean L2": mean,
                "ours on the same": means.get(side.name, (0.0, torch.nan))[1], **pace(side),
            }
        )  # fmt: skip
    report.tables[f"{work.name}: {title}"] = rows
    return means


def pace(side: Side) -> dict[str, Any]:
    """Columns of speed."""
    spread = max(side.rates) - min(side.rates) if side.seconds else torch.nan
    return {"images/s": side.rate, "spread": spread, "format": side.format if side.seconds else "", "note": side.note}


def faster(report: Report, work: Work, title: str, a: Side, b: Side | None, least: float) -> None:
    """How many times as fast as b a is."""
    value = spread = torch.nan
    if b is not None and a.seconds and b.seconds:
        each = [one / other for one, other in zip(a.rates, b.rates, strict=True)]
        value, spread = statistics.median(each), max(each) - min(each)
    quantity = f"speed of {a.name} over {b.name if b else 'the fastest peer'}"
    report.ratios.append(Ratio(f"{work.name}, {title}", quantity, value, spread, f"at least {least:g}", value >= least))


def quality(report: Report, work: Work, title: str, quantity: str, value: float, aim: str, reached: bool) -> None:
    """A number that has no spread."""
    report.ratios.append(Ratio(f"{work.name}, {title}", quantity, value, 0.0, aim, reached))
