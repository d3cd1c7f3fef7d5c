"""The training loop: normalisation constants, and one function that trains a network by a recipe."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advlab.models.classifier import Classifier
from advlab.training.adversary import Adversary
from advlab.training.augment import pipeline
from advlab.training.recipe import Recipe

#: called with (steps done, total steps, loss); an exception it raises ends the training
OnStep = Callable[[int, int, float], None]

#: Steps between two looks at the losses on an accelerator, where each look waits for the device.
READ_EVERY = 25


@dataclass(frozen=True, kw_only=True)
class EpochLog:
    """One epoch: mean loss over its batches while they were trained, accuracy over their (augmented) images without the
    points that an adversary added, wall-clock seconds."""

    epoch: int
    lr: float
    loss: float
    accuracy: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TrainingLog:
    """What one training did, and the precision it ran in: the recipe's, or float32 where that is not available."""

    steps: int
    seconds: float
    precision: str
    epochs: list[EpochLog] = field(default_factory=list)


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` computes in bfloat16 by itself: emulation is many times slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) if torch.backends.mkldnn.is_available() else False
    return True


def normalisation(recipe: Recipe, images_uint8: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation by which images in [0, 1] are normalised, (x - mean) / std.

    `images_uint8` are the training images (N, C, H, W). Both results are float32, broadcast to (C, H, W), and live
    where the images live. "caffe" is pixel / 256; "mean_image" is pixel minus the mean training image, in units of
    0..255 (Jetley et al. 2018); "standard" is per channel.

    Raises ValueError when there are no images, or they are not uint8.
    """
    _check_images(images_uint8)
    channels = images_uint8.shape[1]
    device = images_uint8.device
    ones = torch.ones(channels, 1, 1, device=device)
    if recipe.normalise == "caffe":
        return torch.zeros_like(ones), ones * (256.0 / 255.0)
    if recipe.normalise == "mean_image":
        total = images_uint8.sum(dim=0, dtype=torch.int64)
        return (total.double() / (255 * len(images_uint8))).float(), ones / 255.0
    # exact integer sums: neither the order nor the device changes the constants
    count = images_uint8.numel() // channels
    first = torch.zeros(channels, dtype=torch.int64, device=device)
    second = torch.zeros(channels, dtype=torch.int64, device=device)
    for start in range(0, len(images_uint8), 4096):  # a few at a time: int64 is eight times as large
        values = images_uint8[start : start + 4096].to(torch.int64)
        first += values.sum(dim=(0, 2, 3))
        second += (values * values).sum(dim=(0, 2, 3))
    mean = first.double() / count
    std = (second.double() / count - mean * mean).clamp_min(0).sqrt()
    std[std == 0] = 255.0  # a constant channel: nothing to scale
    return (mean / 255).float().view(-1, 1, 1), (std / 255).float().view(-1, 1, 1)


def train(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    mean: Tensor,
    std: Tensor,
    device: torch.device | str,
    seed: int,
    on_step: OnStep | None = None,
) -> TrainingLog:
    """Trains `network` in place by `recipe`, on images uint8 (N, C, H, W) with labels int64 (N,), and leaves it in
    evaluation mode on `device` with every `.grad` None, whatever happens. A recipe in bfloat16 is trained in float32 on
    a device that would only emulate it.

    The network sees (x - mean) / std with x in [0, 1], augmented before that. Where the recipe names an adversary, each batch
    is followed by its moved images with the same labels, and the loss is the mean over both. Same weights, images, recipe and seed
    give the same weights (on the CPU to the bit; the number of threads is part of that), and the global random state is
    left as it was. `on_step` hears of every step on the CPU, and of every 25th and the last on an accelerator.

    Raises ValueError for a recipe that trains nothing or data that do not fit each other, and FloatingPointError when
    the loss is no longer finite.
    """
    _check_images(images)
    if not recipe.trains:
        raise ValueError("recipe 'none' trains nothing: choose a recipe, or load weights")
    if labels.shape != images.shape[:1]:
        raise ValueError(f"labels must be of shape ({len(images)},), one per image, got {tuple(labels.shape)}")
    device = torch.device(device)
    adversary = None
    if recipe.adversary is not None:
        shape = (images.shape[1], images.shape[2], images.shape[3])
        classifier = Classifier(network.cpu(), name="the network", shape=shape, mean=mean.cpu(), std=std.cpu())
        adversary = Adversary(classifier.to(device), *recipe.adversary)
    network.to(device)
    images, labels = images.to(device), labels.to(device=device, dtype=torch.int64)
    if recipe.precision == "bf16" and not has_bfloat16(device):
        recipe = replace(recipe, precision="float32")
    # channels_last speeds up the CPU's convolutions in both precisions, an accelerator's only in bfloat16
    channels_last = device.type == "cpu" or recipe.precision == "bf16"
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network.to(memory_format=layout)  # type: ignore[call-overload]
    forked = list(range(torch.cuda.device_count())) if device.type == "cuda" else []  # manual_seed seeds them all
    try:
        with torch.random.fork_rng(devices=forked):
            torch.manual_seed(seed)
            network.train()
            return _run(
                network, images, labels, recipe, mean.to(device), std.to(device), seed, layout, on_step, adversary
            )
    finally:
        network.eval()
        for parameter in network.parameters():
            parameter.grad = None
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _run(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    mean: Tensor,
    std: Tensor,
    seed: int,
    layout: torch.memory_format,
    on_step: OnStep | None,
    adversary: Adversary | None,
) -> TrainingLog:
    device, count = images.device, len(images)
    total, per_epoch = recipe.total_steps(count), recipe.steps_per_epoch(count)
    read_every = 1 if device.type == "cpu" else READ_EVERY
    optimizer, multipliers = _optimizer(network, recipe)
    augment = pipeline(recipe.transforms)
    augment_random = torch.Generator(device=device).manual_seed(seed)
    low_precision = recipe.precision == "bf16"

    started = epoch_started = time.perf_counter()
    epochs: list[EpochLog] = []
    losses: list[Tensor] = []
    seen, loss_sum = 0, 0.0
    correct = torch.zeros((), dtype=torch.int64, device=device)
    for step, batch in enumerate(_batches(count, recipe.batch_size, total, seed, device)):
        lr = recipe.lr_at(step, total)
        for group, multiplier in zip(optimizer.param_groups, multipliers, strict=True):
            group["lr"] = lr * multiplier
        y = labels[batch]
        x = augment(images[batch].float().div_(255.0), augment_random)
        with torch.autocast(device.type, torch.bfloat16, enabled=low_precision):
            if adversary is not None:
                x, y = torch.cat([x, adversary(x, y, augment_random)]), torch.cat([y, y])
            x = x.sub_(mean).div_(std).contiguous(memory_format=layout)
            logits = network(x)
        logits = logits.float()
        loss = F.cross_entropy(logits, y, label_smoothing=recipe.label_smoothing)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

        losses.append(loss.detach())
        correct += (logits.detach()[: len(batch)].argmax(dim=1) == y[: len(batch)]).sum()
        seen += len(batch)
        done = step + 1
        epoch_ends = done % per_epoch == 0 or done == total
        if done % read_every == 0 or epoch_ends:
            values = torch.stack(losses).tolist()
            losses.clear()
            _check_finite(values, first_step=done - len(values), per_epoch=per_epoch, total=total, recipe=recipe)
            loss_sum += sum(values)
            if on_step is not None:
                on_step(done, total, values[-1])
        if epoch_ends:
            now = time.perf_counter()
            epochs.append(
                EpochLog(
                    epoch=step // per_epoch + 1,
                    lr=lr,
                    loss=loss_sum / (step % per_epoch + 1),
                    accuracy=int(correct) / seen,
                    seconds=now - epoch_started,
                )
            )
            seen, loss_sum, epoch_started = 0, 0.0, now
            correct.zero_()
    seconds = time.perf_counter() - started
    return TrainingLog(steps=total, seconds=seconds, precision=recipe.precision, epochs=epochs)


def _batches(count: int, batch_size: int, total_steps: int, seed: int, device: torch.device) -> Iterator[Tensor]:
    """Indices of each step's images: a new order each epoch, the incomplete last batch left out."""
    # drawn on the CPU, so that every kind of device sees the images in the same order
    generator = torch.Generator().manual_seed(seed)
    step = 0
    while step < total_steps:
        order = torch.randperm(count, generator=generator).to(device)
        for start in range(0, max(1, count - batch_size + 1), batch_size):
            if step == total_steps:
                return
            yield order[start : start + batch_size]
            step += 1


def _optimizer(network: nn.Module, recipe: Recipe) -> tuple[torch.optim.Optimizer, list[float]]:
    """The optimizer, and for each of its parameter groups the multiple of the learning rate that it takes."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    layers = [module for module in network.modules() if any(True for _ in module.parameters(recurse=False))]
    head = {id(parameter) for parameter in layers[-1].parameters()} if layers else set()
    alike: dict[tuple[float, float], list[nn.Parameter]] = {}  # (decay, multiple of the rate): few groups, few calls
    for parameter in trained:
        is_bias = parameter.ndim <= 1  # the gains of a batch norm count as biases: they, too, have one dimension
        decay = recipe.weight_decay * (recipe.bias_decay if is_bias else 1.0)
        multiple = (recipe.bias_lr if is_bias else 1.0) * (recipe.head_lr if id(parameter) in head else 1.0)
        alike.setdefault((decay, multiple), []).append(parameter)
    groups: list[dict[str, object]] = [
        {"params": chosen, "weight_decay": decay} for (decay, _), chosen in alike.items()
    ]
    multipliers = [multiple for _, multiple in alike]
    if not groups:
        raise ValueError("the network has no parameter that requires a gradient: nothing to train")
    if recipe.optimizer == "sgd":
        # torch scales the velocity by the rate of the step, caffe the gradient: the same while the rate is constant
        return torch.optim.SGD(
            groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True
        ), multipliers
    adam = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return adam(groups, lr=recipe.lr, betas=(recipe.momentum, 0.999), fused=True), multipliers


def _check_finite(values: list[float], *, first_step: int, per_epoch: int, total: int, recipe: Recipe) -> None:
    for offset, value in enumerate(values):
        if not math.isfinite(value):
            step = first_step + offset
            raise FloatingPointError(
                f"recipe {recipe.name!r}: the loss became {value} in epoch {step // per_epoch + 1}, step {step + 1} of "
                f"{total}: lower recipe.lr (now {recipe.lr:g})"
                + (" or set recipe.precision=float32" if recipe.precision == "bf16" else "")
            )


def _check_images(images: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or len(images) == 0:
        raise ValueError(
            f"images must be uint8 of shape (N, C, H, W) with N at least 1, got {images.dtype} {tuple(images.shape)}"
        )
