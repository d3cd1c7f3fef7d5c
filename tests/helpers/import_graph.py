"""Which file of advlab and experiments imports which, read from the syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ENGINE = sorted((ROOT / "advlab").rglob("*.py"))
EXPERIMENTS = sorted((ROOT / "experiments").rglob("*.py"))
#: name -> file, by the names under which a user imports them: experiments/ is installed as advlab.experiments
MODULE_FILES = {
    ".".join((*(("advlab",) if path.is_relative_to(ROOT / "experiments") else ()), *path.relative_to(ROOT).with_suffix("").parts))
    .removesuffix(".__init__"): path
    for path in [*ENGINE, *EXPERIMENTS]
}  # fmt: skip

#: a module's name in a string, as importlib.import_module and registries take it; also the beginning of one, of an f-string
MODULE_IN_A_STRING = re.compile(r"(advlab(?:\.\w+)+)(?:\.|:\w*)?")
#: files whose strings name modules that they do not import
STRINGS_THAT_IMPORT_NOTHING = {
    "advlab.config.groups": "names the packages that hold a group's classes, which are imported when a run asks for them",
    "advlab.config.components": "imports a class only when a run asks for it",
}


def path_label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_name(path: Path) -> str:
    return next(name for name, file in MODULE_FILES.items() if file == path)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def names_imported(nodes: Iterator[ast.AST], package: str) -> set[str]:
    """Absolute names of all that import statements among the nodes of a file of `package` name."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module or ""]))
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def modules_in_strings(tree: ast.AST) -> set[str]:
    """Modules of advlab whose name is a string of the file: whoever writes one imports it, sooner or later."""
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    matches = [match[1] for text in strings if (match := MODULE_IN_A_STRING.fullmatch(text))]
    return {name for name in matches if name in MODULE_FILES}


def run_at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes of a file that run when it is imported: not those in functions, nor those for type checkers alone."""
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def package_of(path: Path) -> str:
    return module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]


@cache
def imported(path: Path) -> frozenset[str]:
    """Absolute names of all that a file imports: at its top, in its functions, for type checkers, and by a string."""
    by_string = set() if module_name(path) in STRINGS_THAT_IMPORT_NOTHING else modules_in_strings(tree_of(path))
    return frozenset(names_imported(ast.walk(tree_of(path)), package_of(path)) | by_string)


@cache
def imported_at_once(path: Path) -> frozenset[str]:
    """Absolute names of all that Python imports with a file."""
    return frozenset(names_imported(run_at_import(tree_of(path)), package_of(path)))


def own_module(name: str) -> str:
    """The file of this project that an imported name stands in: `advlab.store.tables` of `advlab.store.tables.to_csv`."""
    while name and name not in MODULE_FILES:
        name = name.rpartition(".")[0]
    return name


@cache
def files_imported(path: Path) -> frozenset[str]:
    """Names of this project's files that a file imports."""
    return frozenset(set(map(own_module, imported(path))) - {"", module_name(path)})


def modules_that_measure() -> set[str]:
    """Those of experiments that may import torch: `<figure>_measure`, and what such modules alone import."""
    imports = {
        name: files_imported(path) for name, path in MODULE_FILES.items() if name.startswith("advlab.experiments.")
    }
    importers = {name: {other for other in imports if name in imports[other]} for name in imports}
    measuring = {name for name in imports if name.endswith("_measure")}
    helpers = {name for name in imports if importers[name] and f"{name}_measure" not in measuring} - measuring
    while more := {name for name in helpers - measuring if importers[name] <= measuring}:
        measuring |= more
    return measuring
