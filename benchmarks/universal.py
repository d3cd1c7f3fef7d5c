"""One perturbation from training images, judged on images that it has not seen: ours beside the peers'."""

from __future__ import annotations

import torch

import advlab
from advlab.attacks import UAP
from benchmarks import peers
from benchmarks.contest import (
    Side,
    Work,
    compete,
    faster,
    pace,
    quality,
    theirs,
)
from benchmarks.report import Report


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
