"""What lists, describes, plots and refuses loads no torch: which files must not, and what a fresh process says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import indent

from tests.helpers.import_graph import MODULE_FILES, ROOT, imported_at_once, modules_that_measure, own_module
from tests.helpers.unrendered import UNRENDERED

#: parts of advlab of which no file may import torch when it is imported
TORCH_FREE_PARTS = {
    "", "__main__", "cli", "collection", "config", "errors", "plotting", "plugins", "polynomials", "progress", "results", "shell",
    "statistics", "store",
}  # fmt: skip
#: the only files of these parts that may: every other one is read by what lists, describes, plans or resumes a run
NEEDS_TORCH = {
    "data": {"ahead", "decode", "exact_division", "files", "images"},  # pixels are tensors
    "engine": {
        "clean_accuracy",
        "datasets",
        "device",
        "network_cost",
        "networks",
        "torch_setup",
    },  # runs imported by name, with torch
    "lab": {
        "defended_classifier",
        "input_normalisation",
        "kept_neighbourhood",
        "network_loading",
        "trained_network",
        "unfitted_defense",
    },  # what measures
}
#: files that describe, in the parts that calculate: parameters, and what the parameters are made of
DESCRIBES = {
    "advlab.attacks", "advlab.attacks.base", "advlab.attacks.external.library.catalogue", "advlab.attacks.status",
    "advlab.attacks.traits", "advlab.geometry", "advlab.metrics", "advlab.metrics.expected_mantel_r", "advlab.models",
    "advlab.models.base", "advlab.models.builtin", "advlab.models.plugin_model", "advlab.models.torchvision_networks",
    "advlab.models.library_model", "advlab.models.robustbench_networks", "advlab.models.timm_networks",
    "advlab.probes", "advlab.probes.sphere", "advlab.training", "advlab.training.recipe", "advlab.training.recipe_text",
}  # fmt: skip
#: the files of advlab.defenses that declare one, and what all have
DEFENSES = {
    "", "base", "binarize", "bit_depth", "blur", "chain", "combined", "crops", "jpeg", "noise", "plugin", "project", "resample",
    "rescale_crops", "round", "shift",
}  # fmt: skip
#: libraries that are torch or load it
WITH_TORCH = {"torch", "torchvision"}


def must_be_free() -> set[str]:
    """The files that must be importable without torch, and every experiment but its `_measure` and what that alone imports."""
    names = set(DESCRIBES)
    for name in MODULE_FILES:
        part, _, within = name.removeprefix("advlab").removeprefix(".").partition(".")
        if part == "experiments":
            free = name not in modules_that_measure()
        elif part in NEEDS_TORCH:
            free = within.split(".")[0] not in NEEDS_TORCH[part]
        else:
            free = (
                part in TORCH_FREE_PARTS
                or (part == "defenses" and within in DEFENSES)
                or (part == "attacks" and name.endswith(".params"))
            )
        names |= {name} if free else set()
    return names


def are_free() -> set[str]:
    """The files that import no torch, neither themselves nor through a file or package of this project."""
    imports: dict[str, set[str]] = {}
    for name, path in MODULE_FILES.items():
        imports[name] = {
            ".".join(name.split(".")[: n + 1]) for n in range(name.count("."))
        }  # Python runs their __init__.py
        for other in map(own_module, imported_at_once(path)):
            imports[name] |= {".".join(other.split(".")[: n + 1]) for n in range(other.count(".") + 1)} & set(
                MODULE_FILES
            )
    loads = {
        name for name, path in MODULE_FILES.items() if {n.split(".")[0] for n in imported_at_once(path)} & WITH_TORCH
    }
    while more := {name for name in imports if name not in loads and imports[name] & loads}:
        loads |= more
    return set(MODULE_FILES) - loads


def test_what_must_be_quick_imports_no_torch() -> None:
    """Parameters, results, figures and the command line."""
    assert must_be_free() <= set(MODULE_FILES)
    assert {
        f"advlab.experiments.surveys.{name}" for name in ("attack_survey", "figures.attack_survey")
    } <= must_be_free()
    assert sorted(must_be_free() - are_free()) == []


def test_what_may_import_torch_does() -> None:
    """A file that has become free of torch leaves the list, and stays free."""
    named = {f"advlab.{part}.{stem}" for part, stems in NEEDS_TORCH.items() for stem in stems}
    assert named <= set(MODULE_FILES)
    assert sorted(named & are_free()) == []


def test_a_fresh_process_agrees() -> None:
    """What imports no torch by its text loads none: through no library either. One after the other in one process."""
    modules = sorted(are_free())
    assert len(modules) > 150
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
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


def test_what_few_need_is_not_loaded_without_need(tmp_path: Path) -> None:
    """OpenCV and ranks serve some scores, scikit-learn tests alone, and torch's compiler, which takes half as long to load as all
    else, is asked for by its optimizers alone: listing, describing, plotting, and runs on the digits do without.
    """
    small = ["recipe.epochs=1", "run.preset=tiny", "probe.radii=[0.1]", "probe.trials=2", "probe.confidence=0"]
    plotting = ["plot", "outputs/isotropy/digits-lenet/v001"]
    rare = {"cv2", "sklearn", "scipy.stats"}
    environment = {**os.environ, "ADVLAB_CACHE": str(tmp_path / "artifacts")}
    for lines, unneeded in (
        ([["list", "experiments"], ["describe", "attack_survey"], ["describe", "digits"], small, plotting], rare),
        ([small, plotting], rare | {"torch._dynamo", "torchvision"}),  # the network lies there, trained
    ):
        code = (
            "import sys\n"
            "import advlab.cli.main\n"
            f"for words in {lines!r}:\n"
            "    assert advlab.cli.main.run(words) == 0, words\n"
            f"    loaded = {unneeded!r} & set(sys.modules)\n"
            "    assert not loaded, f'{words} loads {loaded}'\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
        )
        assert done.returncode == 0, done.stderr


def test_an_experiment_that_declares_no_torch_runs_without_it(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from advlab.cli.main import run\n"
        "from advlab.config.components import REGISTRIES\n"
        "from advlab.lab import RunContext\n"
        "experiments = REGISTRIES['experiment']\n"
        "names = [name for name in experiments.names() if experiments.load(name).context_type() is RunContext]\n"
        "assert 'training_grids' in names\n"
        "for name in names:\n"
        "    assert run([f'experiment={name}', 'run.preset=tiny']) == 0, name\n"
        "    assert 'torch' not in sys.modules, name + ' loads torch'\n"
        + indent(UNRENDERED, "    ")  # all but the first
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
