"""Who may import whom, read from the syntax trees; and what stays free of torch, seen in a fresh process."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGINE = sorted((ROOT / "advlab").rglob("*.py"))
EXPERIMENTS = sorted((ROOT / "experiments").rglob("*.py"))
FILES = {
    ".".join((*(("advlab",) if path.is_relative_to(ROOT / "experiments") else ()), *path.relative_to(ROOT).with_suffix("").parts))
    .removesuffix(".__init__"): path
    for path in [*ENGINE, *EXPERIMENTS]
}  # fmt: skip

#: the parts of advlab from the lowest to the highest: each may import those before its own line, and itself
LEVELS = (
    ("errors", "progress"),
    ("store",),
    ("config",),
    ("statistics",),
    ("plotting",),
    ("results",),
    ("data",),
    ("models",),
    ("polynomials", "open_set"),
    ("metrics",),
    ("attacks",),
    ("defenses", "geometry", "probes"),
    ("training",),
    ("lab",),
    ("plugins",),
    ("", "engine"),  # "": advlab/__init__.py, which a user imports
    ("cli",),
    ("__main__",),
    ("experiments",),
)
RANK = {part: rank for rank, parts in enumerate(LEVELS) for part in parts}

#: importable without torch: what lists, describes, plots and refuses, and every experiment but its `_measure` and what that imports
TORCHLESS = (
    "advlab", "advlab.attacks", "advlab.attacks.status", "advlab.cli", "advlab.config", "advlab.data.plugin_source",
    "advlab.data.source",
    "advlab.data.content", "advlab.data.digits", "advlab.data.file_sources", "advlab.data.folders",
    "advlab.data.torchvision_sources",
    "advlab.engine.compatibility", "advlab.engine.datasets", "advlab.engine.dry_run", "advlab.engine.manifest",
    "advlab.engine.measuring", "advlab.engine.outputs", "advlab.engine.plan", "advlab.engine.resumption",
    "advlab.engine.runner", "advlab.engine.setup", "advlab.lab.cells", "advlab.lab.context",
    "advlab.lab.experiment", "advlab.models.base", "advlab.models.builtin", "advlab.models.plugin_model",
    "advlab.models.torchvision_networks", "advlab.plotting", "advlab.plugins", "advlab.polynomials", "advlab.probes.sphere",
    "advlab.results", "advlab.statistics", "advlab.store", "advlab.training.recipe",
)  # fmt: skip
#: what a user imports, from where: short lists, which README.md names
PUBLIC = {
    "advlab": {"Run", "__version__", "attack", "dataset", "experiment", "load", "model"},
    "advlab.attacks": {
        "Attack", "DeepFool", "FGS", "FGV", "Fooling", "HotCold", "LBFGS", "Library", "Noise", "PGD", "Saliency", "UAP",
    },
    "advlab.lab": {"Cell", "Context", "Cost", "Experiment", "Figure", "Frame"},
    "advlab.statistics": {
        "Claim", "Interval", "NOT_MEASURED", "Verdict", "exact", "judge", "mean_interval", "median_interval",
        "rank_correlation", "share_interval",
    },
}  # fmt: skip


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def name_of(path: Path) -> str:
    return next(name for name, file in FILES.items() if file == path)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> frozenset[str]:
    """Absolute names of all that a file imports: at its top, in its functions, and for type checkers."""
    name = name_of(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module or ""]))
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return frozenset(found)


@cache
def files_imported(path: Path) -> frozenset[str]:
    """Names of this project's files that a file imports: `advlab.store.tables` of `advlab.store.tables.to_csv`."""
    found = set()
    for name in imported(path):
        while name and name not in FILES:
            name = name.rpartition(".")[0]
        found |= {name} if name else set()
    return frozenset(found - {name_of(path)})


def part(name: str) -> str:
    """`models` of `advlab.models.base`; empty for `advlab` itself."""
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("path", [*ENGINE, *EXPERIMENTS], ids=label)
def test_no_import_climbs(path: Path) -> None:
    """Nor does one go to a neighbour of the same level; `advlab` itself is what others are imported by."""
    own = part(name_of(path))
    assert own in RANK, f"advlab/{own} has no place among the levels"
    climbing = [
        other for other in files_imported(path)
        if part(other) != own and RANK[part(other)] >= RANK[own]
    ]  # fmt: skip
    assert not climbing, f"{label(path)} imports {climbing}"


def components(edges: dict[str, set[str]]) -> Iterator[set[str]]:
    """The strongly connected components of a graph that have more than one node."""
    reach: dict[str, set[str]] = {}
    for node in edges:
        seen, waiting = set(), [node]
        while waiting:
            for other in edges.get(waiting.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        reach[node] = seen
    for node in edges:
        circle = {other for other in reach[node] if node in reach.get(other, ())}
        if len(circle) > 1 and node == min(circle):
            yield circle


def test_there_are_no_circles_of_files() -> None:
    assert not list(components({name: set(files_imported(path)) for name, path in FILES.items()}))


@pytest.mark.parametrize("inside", ["advlab", "advlab.attacks", "advlab.experiments"])
def test_there_are_no_circles_of_folders(inside: str) -> None:
    """Folders beside each other; what stands in `__init__.py` is the folder's own."""

    def folder(name: str) -> str:
        return name.removeprefix(inside + ".").split(".")[0] if name.startswith(inside + ".") else ""

    edges: dict[str, set[str]] = {}
    for name, path in FILES.items():
        if own := folder(name):
            edges.setdefault(own, set()).update(o for o in map(folder, files_imported(path)) if o not in ("", own))
    assert len(edges) > 2
    assert not list(components(edges))


@pytest.mark.parametrize("path", ENGINE, ids=label)
def test_the_engine_knows_experiments_by_name_only(path: Path) -> None:
    assert not [name for name in imported(path) if name.startswith(("advlab.experiments", "experiments"))]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=label)
def test_experiments_import_the_engine_absolutely_and_neighbours_relatively(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            assert not [name for name in names if name.startswith(("experiments", "advlab.experiments"))]
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                depth = len(path.relative_to(ROOT / "experiments").parts)
                assert node.level <= depth, "a relative import must not leave experiments/"
            else:
                assert not module.startswith(
                    ("experiments", "advlab.experiments", "advlab.engine.runner", "advlab.cli")
                )


def test_the_rules_are_not_about_an_empty_list() -> None:
    assert len(ENGINE) > 100
    assert len(EXPERIMENTS) > 30
    assert len(files_imported(FILES["advlab.engine.runner"])) > 5


@pytest.mark.parametrize("package", sorted(PUBLIC))
def test_public_names(package: str) -> None:
    """They are those that README.md lists, and none is hidden by a file or folder: `advlab.attack` is a decorator."""
    module = importlib.import_module(package)
    assert set(module.__all__) == PUBLIC[package]
    assert not PUBLIC[package] & {path.stem for path in FILES[package].parent.iterdir()}
    for name in PUBLIC[package]:
        assert getattr(module, name) is not None
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (listed,) = re.findall(rf"^\| `{re.escape(package)}` \|(.*)\|$", readme, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", listed)) == PUBLIC[package] - {"__version__"}


@pytest.mark.parametrize("module", ["advlab.config.components", "advlab.config.registry"])
def test_names_cost_nothing(module: str) -> None:
    assert {name.split(".")[0] for name in imported(FILES[module])} <= {*sys.stdlib_module_names, "advlab"}


def modules_that_measure() -> set[str]:
    """Those of experiments that may import torch: `<figure>_measure`, and what such modules alone import."""
    imports = {name: files_imported(path) for name, path in FILES.items() if name.startswith("advlab.experiments.")}
    importers = {name: {other for other in imports if name in imports[other]} for name in imports}
    measuring = {name for name in imports if name.endswith("_measure")}
    helpers = {name for name in imports if importers[name] and f"{name}_measure" not in measuring} - measuring
    while more := {name for name in helpers - measuring if importers[name] <= measuring}:
        measuring |= more
    return measuring


def test_what_must_be_quick_imports_no_torch() -> None:
    """Parameters, results, figures and the command line, one after the other in one process."""
    figures = [name for name in FILES if name.startswith("advlab.experiments.") and name not in modules_that_measure()]
    assert {f"advlab.experiments.surveys.{name}" for name in ("attack_survey", "figures.attack_survey")} <= set(figures)
    modules = [name for name in FILES if any(name == quick or name.startswith(f"{quick}.") for quick in TORCHLESS[1:])]
    modules = [
        name for name in modules if not name.startswith("advlab.attacks.") or name.endswith((".params", ".status"))
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {['advlab', *modules, *figures]!r}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'torch' not in sys.modules, name + ' imports torch'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_help_and_errors_load_neither_numpy_nor_pandas() -> None:
    """Each takes a tenth of a second or more, which whoever mistypes a name must not wait for."""
    code = (
        "import sys\n"
        "from advlab.cli.main import run\n"
        "assert run(['model=vgg61']) == 2\n"
        "assert run(['help']) == 0\n"
        "assert not {'numpy', 'pandas', 'matplotlib', 'torch'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_an_experiment_that_declares_no_torch_runs_without_it(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from advlab.cli.main import run\n"
        "from advlab.config.components import EXPERIMENTS\n"
        "names = [n for n in EXPERIMENTS.names() if not EXPERIMENTS.load(n).torch]\n"
        "assert 'training_grids' in names\n"
        "for name in names:\n"
        "    assert run([f'experiment={name}', 'run.preset=tiny']) == 0, name\n"
        "    assert 'torch' not in sys.modules, name + ' loads torch'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
