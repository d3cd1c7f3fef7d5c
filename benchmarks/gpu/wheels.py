"""What a bare machine lacks: wheels from a folder into a temporary folder, and this checkout as the package advlab."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

MEBIBYTE = 1 << 20
LIMIT = 64 * MEBIBYTE  # of all wheels together: more is not carried to a lent machine
CHECKOUT = Path(__file__).resolve().parent.parent.parent
MAPPED = ("experiments", "configs")  # top-level folders that setup.py makes subpackages of advlab


class WheelError(Exception):
    """The wheels cannot be installed; the message says why, and what to do."""


def install(wheels: Path, into: Path) -> None:
    """Install all wheels of a folder, without their dependencies and without any index, into the folder `into`.

    Raises:
        WheelError: there are none, they are too large together, or pip refuses them.
    """
    files = sorted(wheels.glob("*.whl"))
    if not files:
        raise WheelError(f"{wheels} holds no wheels (*.whl): CONTRIBUTING.md, `A GPU`, has the line that makes them")
    size = sum(file.stat().st_size for file in files)
    if size > LIMIT:
        largest = max(files, key=lambda file: file.stat().st_size)
        raise WheelError(
            f"the wheels in {wheels} take {size / MEBIBYTE:.1f} MiB, and at most {LIMIT // MEBIBYTE} MiB are carried: leave out "
            f"what the machine has (the largest is {largest.name}), and make them with --no-deps"
        )
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    command += ["--disable-pip-version-check", "--target", str(into), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise WheelError(f"pip cannot install the wheels in {wheels}: {done.stderr.strip()}")


def link_checkout(into: Path) -> None:
    """Make `advlab` of this checkout importable from the folder `into`, with its mapped folders, without installing it."""
    package = into / "advlab"
    package.mkdir()
    for path in [*(CHECKOUT / "advlab").iterdir(), *(CHECKOUT / name for name in MAPPED)]:
        if path.name != "__pycache__":
            (package / path.name).symlink_to(path)


def advlab_is_installed() -> bool:
    """Whether advlab is there with its mapped folders, as after `pip install`."""
    try:
        return importlib.util.find_spec("advlab.experiments") is not None
    except ModuleNotFoundError:
        return False


def prepare(wheels: Path | None, into: Path) -> None:
    """Put wheels and, unless it is installed, advlab into the folder `into`, and that first on the path, of other processes too.

    Raises:
        WheelError: see `install`.
    """
    if wheels is None and advlab_is_installed():
        return
    if wheels is not None:
        install(wheels, into)
    if not advlab_is_installed():
        for name in [name for name in sys.modules if name.partition(".")[0] == "advlab"]:
            del sys.modules[name]  # the search has loaded the bare package of the working directory
        link_checkout(into)
        # that would be found first in other processes, too
        os.environ["PYTHONSAFEPATH"] = "1"
    sys.path.insert(0, str(into))
    paths = [str(into), str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH", "")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    importlib.invalidate_caches()
