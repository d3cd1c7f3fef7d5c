"""A sweep: every job by Hydra's launcher, here or on a cluster; failed ones do not hide the others."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from advlab.config.compose import Line, explicit_keys, hydra_main
from advlab.config.settings import Settings, resolve
from advlab.errors import AdvlabError, Interrupted


def sweep(line: Line, jobs: Sequence[Settings]) -> int:
    """Run every job by Hydra's launcher; failed ones do not hide the others; 1 when any failed."""
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    root = jobs[0].run.path("output_root").resolve() / ".sweeps"
    folder = root / f"{stamp}-{os.getpid()}"
    overrides = [
        *line.overrides,
        f"hydra.sweep.dir={json.dumps(str(folder), ensure_ascii=False)}",
        "hydra.job.chdir=false",
    ]
    signum = 0
    failure: BaseException | None = None
    try:
        hydra_main(Line(line.flags, overrides), job)
    except Interrupted as interrupt:
        signum = interrupt.signum
    except KeyboardInterrupt:
        signum = 2
    except Exception as error:  # Hydra raises the first failed job's error after all have run; they are listed below
        failure = error
    outcomes = read_outcomes(folder)
    print(f"\n{len(jobs)} jobs:")
    failed = 0
    for number in range(len(jobs)):
        outcome = outcomes.get(
            number, {"status": "did not finish", "detail": "see the launcher's log in " + str(folder)}
        )
        failed += outcome["status"] not in ("complete", "nothing left to do")
        words = " ".join(outcome.get("overrides", []))
        print(f"  {number}  {outcome['status']:<18} {words}  {outcome.get('detail', '')}")
    paths = [
        outcomes[n]["detail"] for n in sorted(outcomes) if outcomes[n]["status"] in ("complete", "nothing left to do")
    ]
    if len(paths) > 1 and len({settings.experiment.name for settings in jobs}) == 1:
        from advlab.results.compare import compare_runs

        found = compare_runs([Path(path) for path in paths])
        print(f"\n{found.text()}\ntogether: {found.plot()[0]}")
        print("again:    advlab plot " + " ".join(paths))
    if signum:
        return 128 + signum
    if failed:
        print(f"advlab: {failed} of {len(jobs)} jobs failed", file=sys.stderr)
        return 1
    if failure is not None:
        raise failure
    return 0


def read_outcomes(folder: Path) -> dict[int, dict[str, Any]]:
    """Number of the job -> how it ended, from what each job wrote."""
    outcomes = {}
    for path in sorted(folder.glob("outcome-*.json")):
        outcomes[int(path.stem.rpartition("-")[2])] = json.loads(path.read_text(encoding="utf-8"))
    return outcomes


def job(config: Any) -> str:
    """One job of a sweep, in this process or on a cluster's node."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from advlab.engine.runner import execute
    from advlab.plugins.loading import load_plugins
    from advlab.store.atomic import write_atomic

    hydra = HydraConfig.get()
    number = int(hydra.job.num)
    overrides = list(hydra.overrides.task)
    path = Path(hydra.sweep.dir) / f"outcome-{number}.json"

    def say(status: str, detail: str) -> None:
        shown = [text.lstrip("+") for text in overrides]
        content = {"status": status, "detail": detail, "overrides": shown}
        write_atomic(path, json.dumps(content, ensure_ascii=False).encode())

    try:
        load_plugins()
        content = OmegaConf.to_container(config, resolve=True)
        assert isinstance(content, dict)
        print(f"[{number}] {' '.join(text.lstrip('+') for text in overrides)}", file=sys.stderr, flush=True)
        nodes = {str(k): v for k, v in content.items()}
        outcome = execute(resolve(nodes, explicit_keys(overrides), dict(hydra.runtime.choices)))
        say(outcome.status, str(outcome.path))
        return str(outcome.path)
    except AdvlabError as error:
        say("failed", str(error))
        print(f"advlab: {error}", file=sys.stderr)
        raise JobFailed(str(error)) from None
    except Interrupted:
        say("interrupted", "")
        raise
    except Exception as error:
        import traceback

        say("failed", f"{type(error).__name__}: {error}")
        traceback.print_exc()
        raise


class JobFailed(Exception):
    """A job ended with an error that has been reported."""
