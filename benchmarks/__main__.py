"""`python -m benchmarks [NAME...]`: run benchmarks, print a table of ratios, write it and JSON to outputs/bench/."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from advlab.cli.main import limit_openmp_spinning


def main() -> None:
    """Run what is named, or everything."""
    limit_openmp_spinning()  # takes effect only before torch is loaded, as the benchmarks do: hence not at the top
    from benchmarks import attacks, curvature, isotropy, mantel, open_set, streamed, training, workers
    from benchmarks.report import Report

    benchmarks = {
        "isotropy": isotropy.run,
        "spheres": isotropy.run_shared,
        "attacks": attacks.run,
        "mantel": mantel.run,
        "curvature": curvature.run,
        "open_set": open_set.run,
    }
    benchmarks["training"] = training.run
    benchmarks["workers"] = workers.run
    benchmarks["streamed"] = streamed.run
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of {', '.join(benchmarks)}; all when none is named"
    )
    parser.add_argument(
        "--repeats", type=int, default=0, help="measurements of each side, in turn; medians are reported; 0: each's own"
    )
    parser.add_argument("--images", type=int, default=0, help="images of each workload; 0: each's own")
    parser.add_argument("--output", type=Path, default=Path("outputs/bench"), help="folder of the table and the JSON")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in benchmarks]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(benchmarks)}")
    report = Report()
    for name in options.names or benchmarks:
        benchmarks[name](report, repeats=options.repeats, images=options.images)
    print(report.table())
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "bench.md").write_text(report.table() + "\n", encoding="utf-8")
    (options.output / "bench.json").write_text(json.dumps(report.content(), indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to {options.output}/bench.md and bench.json")


if __name__ == "__main__":
    main()
