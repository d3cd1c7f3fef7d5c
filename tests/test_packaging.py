"""What is shipped: the wheel holds the checkout's files, and runs from a folder where no checkout is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: folders of the checkout -> where they lie in the wheel
MAPPED = {"advlab": "advlab", "experiments": "advlab/experiments", "configs": "advlab/configs"}

CHECK = """
import pathlib, sys
import advlab
assert pathlib.Path(advlab.__file__).is_relative_to(sys.argv[1]), advlab.__file__
from advlab.cli import main
from advlab.config.choices import group_choices
from advlab.config.compose import Composer
from advlab.plugins.loading import load_plugins
load_plugins()
names = [name for name in group_choices("experiment") if name != "none"]
with Composer(None) as composer:
    for name in names:
        composer.jobs([f"experiment={name}"], multirun=False)
assert "torch" not in sys.modules
print(*names)
sys.exit(main.run(["list", "experiments"]))
"""


def shipped() -> set[str]:
    """The files of the checkout that a wheel must hold, as they are called in it."""
    files = set()
    for folder, target in MAPPED.items():
        for path in (ROOT / folder).rglob("*"):
            wanted = path.suffix in (".py", ".yaml") or path.name == "py.typed"
            wanted |= folder == "experiments" and path.name == "README.md"
            wanted |= path.parent.name == "templates"
            wanted |= folder == "advlab" and path.name in ("digits.csv.gz", "digits_licence.txt", "imagenet_wnids.txt")
            if wanted and path.is_file() and "__pycache__" not in path.parts:
                files.add(f"{target}/{path.relative_to(ROOT / folder).as_posix()}")
    return files


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is packaged, so that building leaves nothing in the checkout."""
    copy = tmp_path_factory.mktemp("sources") / "checkout"
    copy.mkdir()
    for name in (*MAPPED, "pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in"):
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif path.is_file():
            shutil.copy(path, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w"]
    done = subprocess.run([*command, str(folder), str(sources)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_what_the_checkout_holds(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert len(files) > 50
    assert files == shipped()


def test_the_wheel_carries_script_licence_and_requirements(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        texts = {name.split("/", 1)[1]: name for name in archive.namelist() if ".dist-info/" in name}
        assert "advlab = advlab.cli.main:main" in archive.read(texts["entry_points.txt"]).decode()
        metadata = archive.read(texts["METADATA"]).decode()
    assert {"licenses/LICENSE", "licenses/advlab/data/digits_licence.txt"} <= set(texts)
    assert "Requires-Dist: torch>=2.10" in metadata
    assert "Requires-Python: <3.14,>=3.10" in metadata
    required = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", metadata, re.MULTILINE)
    assert {"torch", "opencv-python-headless"} <= set(required)
    assert "scikit-learn" not in required  # tests alone use it


def test_the_source_archive_makes_the_same_wheel(sources: Path, wheel: Path, tmp_path: Path) -> None:
    build = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=sources, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
    for file in shipped():
        for folder, target in sorted(MAPPED.items(), key=lambda item: -len(item[1])):
            if file.startswith(f"{target}/"):
                assert f"{folder}/{file.removeprefix(f'{target}/')}" in names
                break
    assert {"setup.py", "pyproject.toml", "LICENSE"} <= names


def test_the_installed_wheel_runs_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "-q",
        "--target",
        str(site),
        str(wheel),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in site.iterdir() if not path.name.endswith(".dist-info")) in (
        ["advlab"],
        ["advlab", "bin"],
    )  # and nothing called `experiments` or `configs`
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(site)],
        cwd=elsewhere, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "isotropy" in lines[0].split()
    assert lines[1] == "experiment="
    done = subprocess.run(
        [sys.executable, "-m", "advlab", "run.dry=true", "run.preset=tiny"],
        cwd=elsewhere, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "plan of isotropy" in done.stdout
    assert list(elsewhere.iterdir()) == []
