"""The steps, the most valuable first. Another step is one function `(report, setting)` and one line here."""

from __future__ import annotations

from functools import partial

from benchmarks.gpu import (
    against_cpu,
    attacks_against_cpu,
    defenses,
    fine_tuning,
    machine,
    memory,
    peers,
    speed,
    suite,
    training_against_cpu,
)
from benchmarks.gpu.step import Step

STEPS = (
    Step("machine", machine.run, 10),
    Step("tests", suite.run, 60, required=True),
    *(Step(f"{name} as on the CPU", partial(against_cpu.run, name), 8, required=True) for name in against_cpu.TABLES),
    Step("attacks as on the CPU", attacks_against_cpu.run, 10, required=True),
    Step("training as on the CPU", training_against_cpu.run, 10, required=True),
    Step("fine-tuning as on the CPU", fine_tuning.against_cpu, 10, required=True),
    Step("defenses as on the CPU", defenses.against_cpu, 10, required=True),
    Step("out of memory", memory.run, 10, required=True),
    Step("vgg16, tf32", partial(speed.figure_1, "tf32"), 20),
    Step("vgg16, float32", partial(speed.figure_1, "float32"), 30),
    Step("deepfool, lenet", peers.lenet, 20),
    Step("deepfool, resnet50", peers.resnet, 40),
    *(Step(f"lenet, {precision}", partial(speed.lenet, precision), 15) for precision in ("float32", "tf32", "bf16")),
    *(Step(f"{name}, ciresan", partial(speed.shared, name), 15) for name in ("topology", "lipschitz")),
    Step("mean Hessian, lenet", speed.mean_hessian, 20),
    *(
        Step(f"training cifar_vgg, {precision}", partial(speed.training, precision), 10)
        for precision in ("float32", "bf16")
    ),
    Step("fine-tuning lenet", fine_tuning.speed, 10),
    Step("defenses, lenet", defenses.speed, 15),
    Step("training mobilenet_v2 from files, bf16", speed.streamed, 40),
    Step("vgg16, bf16", partial(speed.figure_1, "bf16"), 15),
)
