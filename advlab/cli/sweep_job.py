"""One job of a sweep, in this process or on a cluster's node; what it says of itself lies in the sweep's folder."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from advlab.config.compose import Composer
from advlab.engine.runner import execute
from advlab.errors import AdvlabError, Interrupted
from advlab.plugins.loading import load_plugins
from advlab.progress import heard_by
from advlab.store.atomic import write_atomic
from advlab.store.sealed import json_bytes

VIEW = "view"  # file of a sweep's folder: the process that shows all jobs, and reads how far each has come
SECONDS_BETWEEN_STATES = 1.0


def run_job(config: Any) -> str:
    """One job of a sweep, in this process or on a cluster's node; how it ended is written into the sweep's folder."""
    hydra = HydraConfig.get()
    number = int(hydra.job.num)
    overrides = OmegaConf.to_container(hydra.overrides.task, resolve=False)  # as typed: an escaped ${ stays escaped
    assert isinstance(overrides, list)
    as_typed = [str(text).lstrip("+") for text in overrides]
    launcher = [text for text in hydra.overrides.hydra if text.lstrip("+").startswith("hydra/launcher=")]
    path = Path(hydra.sweep.dir) / f"outcome-{number}.json"

    def write_outcome(status: str, detail: str) -> None:
        content = {"status": status, "detail": detail, "overrides": as_typed}
        write_atomic(path, json_bytes(content))

    with seen_from_the_view(path.parent, number):
        try:
            load_plugins()
            with contextlib.suppress(OSError, ValueError):  # a worker's standard error may be closed
                print(f"[{number}] {' '.join(as_typed)}", file=sys.stderr, flush=True)
            # composed as the command line was checked, lists of choices included
            with Composer(config_dir(hydra)) as composer:
                settings = composer.settings([*as_typed, *launcher])
            outcome = execute(settings)
            write_outcome(outcome.status, str(outcome.path))
            if outcome.signum:  # the job is complete, and the sweep is to end
                raise Interrupted(outcome.signum)
            return str(outcome.path)
        except AdvlabError as error:
            write_outcome("failed", str(error))
            print(f"advlab: {error}", file=sys.stderr)
            raise JobFailed(str(error)) from None
        except Interrupted:
            if not path.exists():
                write_outcome("interrupted", "")
            raise
        except Exception as error:
            write_outcome("failed", f"{type(error).__name__}: {error}")
            traceback.print_exc()
            raise


@contextlib.contextmanager
def seen_from_the_view(folder: Path, number: int) -> Iterator[None]:
    """While the block runs, write how far the job has come for the process that shows all jobs, if one does.

    A job in another process writes what it says to a file, since the terminal is the view's.
    """
    try:
        viewer = (folder / VIEW).read_text(encoding="utf-8")
    except OSError:
        yield
        return
    last = 0.0

    def write_state(title: str, done: int, total: int, left: float) -> None:
        nonlocal last
        if time.monotonic() - last < SECONDS_BETWEEN_STATES and done < total:
            return
        last = time.monotonic()
        with contextlib.suppress(AdvlabError):  # a disk that is full ends no work because of its view
            state = {"title": title, "done": done, "total": total, "left": min(left, 1e9)}
            write_atomic(folder / f"state-{number}.json", json_bytes(state))

    with contextlib.ExitStack() as stack:
        if viewer != str(os.getpid()):
            said = stack.enter_context((folder / f"job-{number}.txt").open("a", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(said))
            stack.enter_context(contextlib.redirect_stderr(said))
        write_state("starting", 0, 0, 0.0)
        last = 0.0
        with heard_by(write_state):
            yield


def config_dir(hydra: Any) -> str | None:
    """The folder of `--config-dir`, from what Hydra knows of the job."""
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    return str(folders[0]) if folders else None


class JobFailed(Exception):
    """A job ended with an error that has been reported."""
