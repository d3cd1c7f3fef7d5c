"""What is checked of every network when it is loaded: that it is one function of the image, and gives logits.

A network that breaks one of these lies quietly: its numbers look like any other's. Each fault has a name, by which
`model.allow` lets whoever insists go on; it then stands beside every claim.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

from advlab.errors import ModelError
from advlab.models.base import FAULTS
from advlab.models.classifier import Classifier, frozen
from advlab.models.forward import out_of_memory
from advlab.models.full_precision import HalfPrecision
from advlab.models.hidden_tensors import hidden_modules
from advlab.models.inspection import REFUSALS, misfit
from advlab.shell import shell_word

IMAGES = 2  # of the data, and as many of noise, are compared
REPEATS = 3  # of a forward: noise may come now and then
#: Differences in shares of the largest logit. Of the same batch, twice, only the order of an accelerator's sums may differ;
#: of batches of other sizes, other kernels: float32 differs by 1e-6 to 1e-4 then, TF32 by 1e-3, half precision by some percent.
SAME_BATCH, OTHER_SIZE, OTHER_SIZE_HALF = 1e-5, 5e-3, 0.1
SQUASHED_FROM = 0.25  # logits that are all in [0, 1] and below this may be those of an untrained network
EXTREMES = 100.0  # so many times white: logits leave [0, 1] there, a squashed head does not


def faults_of(classifier: Classifier, logits: Callable[[Tensor], Tensor], images: Tensor) -> dict[str, str]:
    """The faults of a network by name, each in words; empty for one without.

    Args:
        classifier: on its device.
        logits: its forwards in the run's precision, (n, C, H, W) images to (n, K).
        images: (n, C, H, W) images in [0, 1] of the data, on the device; a few.

    Raises:
        ModelError: it does not take the images, gives no finite logits, or other shapes for one image than for several.
    """
    noise = torch.rand((2 * IMAGES, *classifier.shape), generator=torch.Generator().manual_seed(1)).to(images)
    images = images[:IMAGES]
    x, of_others = (torch.cat([images, companions]) for companions in noise.split(IMAGES))
    with frozen(classifier), torch.no_grad():
        faults = training_faults(classifier.network)
        try:
            with HalfPrecision() as half:
                first = logits(x.clone())
            noise_share = max(difference(first, logits(x.clone())) for _ in range(REPEATS))
            among_others = logits(of_others)[: len(images)]
        except REFUSALS as error:
            if out_of_memory(error):
                raise
            raise misfit(classifier.name, classifier.shape, error, f"{len(x)} ") from error
        try:
            alone = torch.cat([logits(image[None]) for image in x])
        except REFUSALS as error:
            if out_of_memory(error):
                raise
            raise ModelError(
                f"{classifier.name} takes no image alone ({' '.join(str(error).split())}): statistics of the batch are used after "
                f"eval(){hidden_cause(classifier.network)}: let it use those of its training"
            ) from error
        if alone.shape != first.shape:
            raise ModelError(
                f"{classifier.name} gives {tuple(alone.shape)} logits for {len(x)} images that it is shown one by one, and "
                f"{tuple(first.shape)} when they come together: each image needs a row of its own"
            )
        if not bool(torch.isfinite(first).all(1).any()):
            raise ModelError(
                f"{classifier.name} gives NaN or infinite logits for every image: check its weights and input"
            )
        batch_share = max(
            difference(first[: len(images)], among_others) - SAME_BATCH,
            difference(first, alone) - (OTHER_SIZE_HALF if half.seen else OTHER_SIZE),
        )
        if batch_share > 0:  # rare noise looks like that as well
            noise_share = max(noise_share, *(difference(first, logits(x.clone())) for _ in range(REPEATS)))
            noise_share = max(noise_share, difference(among_others, logits(of_others)[: len(images)]))
        if noise_share > SAME_BATCH:
            faults["noisy"] = (
                f"the same image gives other logits when it comes again, by {noise_share:.2g} of the largest: noise or "
                f"dropout stays on after eval(){hidden_cause(classifier.network)}"
            )
        elif batch_share > 0:
            faults["batch"] = (
                "the logits of an image depend on the other images in its batch, or on its place among them: statistics of the "
                f"batch, or noise with a seed of its own, are used after eval(){hidden_cause(classifier.network)}"
            )
        if is_squashed(first, logits, x):
            faults["squashed"] = (
                "all its outputs lie in [0, 1], as those of a sigmoid or softmax do, and logits are needed: take that layer away"
            )
    return {name: faults[name] for name in FAULTS if name in faults}


def refuse_or_allow(name: str, faults: dict[str, str], allow: Collection[str]) -> None:
    """Refuse a network for its faults, unless all are allowed.

    Raises:
        ModelError: names the faults and what to type to go on nonetheless.
    """
    refused = [fault for fault in faults if fault not in allow]
    if refused:
        said = "; ".join(faults[fault] for fault in refused)
        remedy = ",".join(dict.fromkeys([*allow, *faults]))
        typed, python = shell_word(f"model.allow=[{remedy}]"), [*dict.fromkeys([*allow, *faults])]
        raise ModelError(f"{name}: {said}. To measure it as it is, type {typed} (advlab.run: allow={python})")


def training_faults(network: nn.Module) -> dict[str, str]:
    """The fault `training` of a network on which `eval()` has been called, if a module is in training mode nonetheless."""
    left = [(name, module) for name, module in network.named_modules() if getattr(module, "training", False)]
    if not left:
        return {}
    name, module = left[-1]
    stays = f" and {len(left) - 1} more stay" if len(left) > 1 else " stays"
    said = f"{name or 'the network itself'} ({type(module).__name__}){stays} in training mode after eval()"
    return {"training": f"{said}: let its train() and eval() call those of torch.nn.Module"}


def hidden_cause(network: nn.Module) -> str:
    """Which module `eval()` cannot reach, for the end of a message; empty where there is none."""
    for path, module in hidden_modules(network):
        if module.training and isinstance(module, TWO_MODES):
            return f" ({path} is a {type(module).__name__} in a plain list or mapping: use torch.nn.ModuleList or ModuleDict)"
    return ""


TWO_MODES = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)


def difference(a: Tensor, b: Tensor) -> float:
    """The largest difference of (n, K) logits, in shares of the largest one; infinite where only one of both is finite."""
    finite = torch.isfinite(a) & torch.isfinite(b)
    if not torch.equal(torch.isfinite(a), torch.isfinite(b)):
        return torch.inf
    a, b = torch.where(finite, a, 0).double(), torch.where(finite, b, 0).double()
    return float((a - b).abs().max() / a.abs().max().clamp_min(1e-30))


def is_squashed(first: Tensor, logits: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Whether the outputs lie in [0, 1], also for images far brighter and darker than any."""

    def inside(values: Tensor) -> bool:
        values = values[torch.isfinite(values)]
        return bool(((values >= 0) & (values <= 1)).all())

    if not inside(first) or float(first[torch.isfinite(first)].max()) < SQUASHED_FROM:
        return False
    try:
        return inside(logits((x - 0.5) * EXTREMES)) and inside(logits((0.5 - x) * EXTREMES))
    except REFUSALS:
        return True
