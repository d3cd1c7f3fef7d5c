"""The workflow files and the Dockerfile: they name what is there, and neither a registry nor a secret."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = {path.stem: path for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def parsed(name: str) -> dict[Any, Any]:
    """A workflow; YAML 1.1 reads its key `on` as true."""
    content: dict[Any, Any] = yaml.safe_load(WORKFLOWS[name].read_text(encoding="utf-8"))
    return content


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in parsed(name)["jobs"].values() for step in job["steps"]]


def test_there_are_tests_docs_and_a_release() -> None:
    assert set(WORKFLOWS) == {"tests", "docs", "release"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_whole(name: str) -> None:
    content = parsed(name)
    assert content["name"] == name
    assert content[True], "says when it runs"
    assert content["permissions"] == {"contents": "read"}
    for job in content["jobs"].values():
        assert job["runs-on"] == "ubuntu-latest"
        assert set(job.get("permissions", {})) <= {"id-token", "pages"}
        needed = job.get("needs", [])
        assert set([needed] if isinstance(needed, str) else needed) <= set(content["jobs"])
    for step in steps(name):
        assert ("uses" in step) != ("run" in step)
        assert "@" in step.get("uses", "@")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_make_knows_the_targets_that_are_named(name: str) -> None:
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [line for step in steps(name) for line in step.get("run", "").splitlines() if line.startswith("make ")]
    targets = [word for line in lines for word in re.sub(r'\w+=("[^"]*"|\S*)', "", line).split()[1:]]
    assert name == "release" or targets
    assert [target for target in targets if f"make {target} " not in helped] == []


def test_the_matrix_is_what_pyproject_supports() -> None:
    low, high = re.findall(r"(\d+)", re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', pyproject())[0])[1::2]  # type: ignore[index]
    expected = [f"3.{minor}" for minor in range(int(low), int(high))]
    assert parsed("tests")["jobs"]["unit"]["strategy"]["matrix"]["python"] == expected


def test_a_release_is_published_without_a_password_for_its_own_tag() -> None:
    content = parsed("release")
    assert content[True] == {"push": {"tags": ["v*"]}}
    assert content["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert content["jobs"]["publish"]["needs"] == "build"
    assert any("GITHUB_REF_NAME" in step.get("run", "") for step in steps("release"))


def test_the_tags_test_reads_the_version() -> None:
    (line,) = [step["run"] for step in steps("release") if "GITHUB_REF_NAME" in step.get("run", "")]
    (version,) = re.findall(r'^version = "(.*)"$', pyproject(), re.MULTILINE)
    for tag, code in ((f"v{version}", 0), ("v0.0.1", 1)):
        done = subprocess.run(
            ["bash", "-c", line], cwd=ROOT, env={"PATH": "/usr/bin:/bin", "GITHUB_REF_NAME": tag}, check=False
        )
        assert done.returncode == code


@pytest.mark.parametrize(
    "file", [*WORKFLOWS.values(), ROOT / "Dockerfile", ROOT / "mkdocs.yml"], ids=lambda path: path.name
)
def test_no_registry_index_or_secret_is_named(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"https?://|index-url|extra-index|secrets\.|password:|token:", text.replace("id-token:", ""))


def test_the_image_holds_what_the_wheel_is_made_of() -> None:
    copied = {word for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()}
    assert {"pyproject.toml", "setup.py", "README.md", "LICENSE", "advlab", "configs", "experiments"} == copied
    assert all((ROOT / name).exists() for name in copied)
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(allowed) == copied


def test_the_image_runs_advlab_as_a_user_of_its_own() -> None:
    instructions = [line.split()[0] for line in DOCKERFILE.splitlines() if re.match(r"[A-Z]+ ", line)]
    assert instructions[:2] == ["ARG", "FROM"]
    assert DOCKERFILE.count("FROM ${BASE}") == 1
    assert 'ENTRYPOINT ["advlab"]' in DOCKERFILE
    assert instructions.index("USER") < instructions.index("ENTRYPOINT")
    assert re.search(r"^USER advlab$", DOCKERFILE, re.MULTILINE)


def pyproject() -> str:
    return (ROOT / "pyproject.toml").read_text(encoding="utf-8")
