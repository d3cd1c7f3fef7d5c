"""Speed beside the floor: sweeps in three precisions, figure 1 of VGG16 at the paper's scale, training."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torchvision

from advlab.data.content import Shape
from advlab.models.forward import set_precision
from advlab.models.networks.cifar import CifarVGG
from advlab.probes.sphere import Sphere
from benchmarks import curvature, isotropy
from benchmarks import streamed as streamed_benchmark
from benchmarks import training as training_benchmark
from benchmarks.gpu.machine import peak
from benchmarks.gpu.setting import Setting
from benchmarks.report import Report

AIM = 1.05  # times the floor
#: of networks whose forwards take a few milliseconds a batch. The definition of the noise draws 50 trials by a launch of their own,
#: 256 launches for a batch of 12,800 images; and a cell of LeNet is two batches, of ciresan one, after which its rows are made.
SMALL_AIM = 2.0
TRIAL: dict[str, Any] = {
    "batch_size": 100,
    "radii": (1.0,),
}  # of a small trial, so that nothing is tuned and little is measured


def lenet(precision: str, report: Report, setting: Setting) -> None:
    """Isotropy of LeNet at 28x28."""
    images = setting.sized(300, 1)
    sweep(report, setting, "lenet", (1, 28, 28), 10, images, setting.sized(5, 1), precision, SMALL_AIM)


def mean_hessian(report: Report, setting: Setting) -> None:
    """Products and the dense matrix of the mean Hessian of LeNet at 28x28, beside their floors."""
    set_precision("float32")
    batch = 100 if setting.trial else 0  # a trial tunes nothing
    curvature.speed(report, "lenet", (1, 28, 28), 10, setting.sized(100, 1), setting.sized(5, 1), batch)


def figure_1(precision: str, report: Report, setting: Setting) -> None:
    """Isotropy of VGG16 at 224x224 (a small trial: LeNet), and from it the seconds of all forwards of figure 1.

    The aim is a share of the floor: seconds are the card's, whose forwards alone take so long.
    """
    if setting.trial:
        network, rate = "lenet", sweep(report, setting, "lenet", (1, 28, 28), 10, 1, 1, precision)
    else:
        network, rate = "vgg16", sweep(report, setting, "vgg16", (3, 224, 224), 1000, 2, 3, precision)
    forwards = paper_forwards()
    title = f"figure 1 of {network} with the paper's settings, {precision}"
    report.facts[title] = f"{forwards / rate:,.0f} s, extrapolated to {forwards:,} forwards"


def paper_forwards() -> int:
    """Forwards of `advlab model=vgg16` without options: every sample at every reading, radius and trial, and once alone."""
    probe = Sphere()
    return probe.samples * (len(probe.readings) * len(probe.radii) * probe.trials + 1)


def sweep(
    report: Report,
    setting: Setting,
    name: str,
    shape: Shape,
    classes: int,
    images: int,
    repeats: int,
    precision: str,
    aim: float = AIM,
) -> float:
    """Isotropy beside its floor, with its share of the card's peak; gives images a second."""
    return isotropy.workload(
        report, name, shape, classes, images, repeats, setting.device, aim, precision=precision, loop=False,
        peak=peak(setting, precision), **(TRIAL if setting.trial else {}),
    )  # fmt: skip


def shared(experiment: str, report: Report, setting: Setting) -> None:
    """Topology or lipschitz of ciresan (a small trial: LeNet), beside its floor."""
    network, shape, classes = ("lenet", (1, 28, 28), 10) if setting.trial else ("ciresan", (3, 48, 48), 43)
    images, repeats = setting.sized(20, 1), setting.sized(5, 1)
    isotropy.shared(
        report, experiment, network, shape, classes, images, repeats, setting.device, aim=SMALL_AIM,
        **(TRIAL if setting.trial else {}),
    )  # fmt: skip


def streamed(report: Report, setting: Setting) -> None:
    """MobileNetV2 on JPEG files that are decoded ahead, beside the same from memory and decoding alone."""
    torch.manual_seed(0)
    side = setting.sized(224, 32)
    with streamed_benchmark.files_of(setting.sized(2048, 24), (3, side, side)) as files:
        streamed_benchmark.workload(
            report, "mobilenet_v2", torchvision.models.mobilenet_v2(num_classes=10), files, setting.device,
            setting.sized(3, 1), shared=setting.device.type == "cpu", precision="bf16", batch=setting.sized(128, 8),
        )  # fmt: skip


def training(precision: Literal["float32", "bf16"], report: Report, setting: Setting) -> None:
    """The VGG of CIFAR-10 on random images in memory, beside the bare loop."""
    device, images = setting.device, setting.sized(12800, 128)
    torch.manual_seed(0)
    network = CifarVGG(input_shape=(3, 32, 32), classes=10).to(device)
    pixels = torch.randint(0, 256, (images, 3, 32, 32), dtype=torch.uint8).to(device)
    labels = torch.randint(0, 10, (images,)).to(device)
    training_benchmark.workload(
        report, "cifar_vgg", network, pixels, labels, setting.sized(5, 1), points=False, precision=precision
    )
