"""What CONTRIBUTING.md names is there: files, targets, methods, imports, and the architecture in its order."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
from pathlib import Path

import pytest

from advlab import errors, lab
from advlab.lab import Cell, Experiment, Stage
from tests.helpers.import_graph import MODULE_FILES

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CONTEXTS = ("RunContext", "DeviceContext", "DataContext", "NetworkContext")


def fields_and_methods(cls: type) -> set[str]:
    return {name for base in cls.__mro__ for name in (*vars(base), *getattr(base, "__annotations__", {}))}


def test_files_and_folders_are_there() -> None:
    named = set(
        re.findall(r"\]\(([^)#]+)\)|`((?:advlab|tests|examples|experiments|configs|benchmarks)/[\w/.]*)`", TEXT)
    )
    paths = {path for pair in named for path in pair if path}
    assert len(paths) > 20
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    inside = set(re.findall(r"`((?:config|engine|attacks)/\w+\.py)`|\(((?:attacks)/\w+\.py)\)", TEXT))
    assert [pair for pair in inside if not (ROOT / "advlab" / "".join(pair)).is_file()] == []


def test_targets_are_there() -> None:
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"(?:^    |`)make ([a-z0-9-]+)", TEXT, re.MULTILINE))
    assert {"env", "test", "lint", "types", "unit", "bench", "snapshot"} <= named
    assert [target for target in named if f"make {target} " not in helped] == []


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_context_offers_what_its_row_says(name: str) -> None:
    """And nothing that its base offers already."""
    (row,) = re.findall(rf"^\| `{name}` \|[^|]*\|(.*)\|$", TEXT, re.MULTILINE)
    cls = getattr(lab, name)
    own = fields_and_methods(cls) - fields_and_methods(cls.__mro__[1])
    spans = re.sub(r"\(([^()]|\([^()]*\))*\)", "", row)
    said = {re.match(r"\w+", span)[0] for span in re.findall(r"`([^`]+)`", spans)}  # type: ignore[index]
    assert said <= own
    assert said


def test_what_is_called_on_a_context_is_there() -> None:
    called = set(re.findall(r"\bctx\.(\w+)", TEXT))
    assert len(called) > 15
    assert called <= fields_and_methods(lab.NetworkContext)


def test_an_experiment_declares_what_the_table_says() -> None:
    table = TEXT.split("| name | what it is |")[1].split("\n\n")[0]
    said = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`(\w+)(?:\([\w, ]*\))?`", row.split("|")[1] if "|" in row else "")
    }
    declared = {name for name in (*vars(Experiment), *Experiment.__annotations__) if not name.startswith("_")}
    assert said == declared - {"params", "groups", "context_type", "measurement", "measurement_name"}
    for cls, words in ((Cell, "id, payload, stages"), (Stage, "key, make, cost, kind, stages")):
        assert set(words.split(", ")) <= set(inspect.signature(cls).parameters)


def test_the_errors_are_those_of_users() -> None:
    for name in re.findall(r"`(\w+Error)`", TEXT.split("### Errors")[1].split("All are")[0]):
        assert issubclass(getattr(errors, name), errors.AdvlabError)


def test_its_imports_work() -> None:
    lines = re.findall(r"^    (from advlab[\w.]* import [\w, ]+?) *(?:#.*)?$", TEXT, re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        exec(line, {})


def test_the_architecture_is_the_tests() -> None:
    """Its picture has every part of advlab, from the top to the bottom as tests/test_architecture.py has them."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    (levels,) = (
        ast.literal_eval(node.value) for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LEVELS"
    )  # fmt: skip
    there = {name.split(".")[1] for name in MODULE_FILES if name.count(".") and ".experiments" not in name}
    picture = TEXT.split("## The architecture")[1].split("A file imports")[0]
    lines = [line for line in picture.splitlines() if re.match(r"    [a-z]", line) and "/" not in line[:14]]
    place: dict[str, int] = {}
    for number, line in enumerate(lines):
        for word in re.split(r"\s{2,}", line.strip()):
            if word in there:
                place.setdefault(word, number)
    assert set(place) >= there - {"__main__", "testing", "open_set"}
    order = [part for level in reversed(levels) for part in level if part in place]
    ranks = {part: rank for rank, level in enumerate(reversed(levels)) for part in level}
    assert sorted(order, key=lambda part: place[part]) == sorted(order, key=lambda part: (ranks[part], place[part]))
