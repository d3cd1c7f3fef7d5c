"""`python -m benchmarks.gpu`: all that is to be known about one GPU, within eight minutes, as JSON and a table.

Most valuable first, each step in a process of its own if need be: one that fails leaves the rest. See CONTRIBUTING.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gpu.wheels import WheelError, prepare


def main(arguments: list[str] | None = None) -> int:
    """Run all steps; 0 when none failed and all that must agree with the CPU does, 1 otherwise, 2 when nothing was begun."""
    started = time.monotonic()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument(
        "--wheels", type=Path, help="folder of wheels, at most 64 MiB, for a machine that lacks packages"
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="in which all must be over")
    parser.add_argument("--output", type=Path, default=Path("outputs/gpu"), help="folder of gpu.json and gpu.md")
    parser.add_argument("--small", action="store_true", help="tiny sizes: a trial of this script, also without a GPU")
    parser.add_argument("--pretend", action="store_true", help="a trial on a pretended CUDA device")
    parser.add_argument("--steps", nargs="+", metavar="NAME", default=[], help="those steps alone")
    options = parser.parse_args(arguments)
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # before torch, as the command line does
    with tempfile.TemporaryDirectory(prefix="advlab-gpu-") as folder:
        try:
            prepare(options.wheels, Path(folder))
        except WheelError as error:
            print(f"benchmarks.gpu: {error}", file=sys.stderr)
            return 2
        # torch and advlab are there only now
        from benchmarks.gpu.guard import run_steps
        from benchmarks.gpu.setting import Setting
        from benchmarks.gpu.step import Outcome
        from benchmarks.gpu.steps import STEPS
        from benchmarks.gpu.written import table, write

        setting = Setting(small=options.small, pretend=options.pretend)
        if setting.device.type != "cuda" and not setting.small and not setting.pretend:
            print("benchmarks.gpu: there is no CUDA device here; --small tries the script on the CPU", file=sys.stderr)
            return 2
        unknown = set(options.steps) - {step.name for step in STEPS}
        if unknown:
            parser.error(f"there is no step {min(unknown)!r}; there are {', '.join(step.name for step in STEPS)}")
        steps = [step for step in STEPS if not options.steps or step.name in options.steps]

        def written(so_far: list[Outcome]) -> None:
            write(options.output, setting, so_far)
            last = so_far[-1]
            print(
                f"{last.step}: {last.status} in {last.seconds:.1f} s {last.note}".rstrip(), file=sys.stderr, flush=True
            )

        left = 60 * options.minutes - (time.monotonic() - started)
        outcomes = run_steps(steps, setting, left, written)
        print(table(setting, outcomes))
        print(f"\nwritten to {options.output}/gpu.md and gpu.json in {(time.monotonic() - started) / 60:.1f} minutes")
        return int(any(outcome.wrong for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
