"""A finished run made a published result: its claims.csv, and of its manifest what says nothing of the machine's folders."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from advlab.config import components
from advlab.errors import ConfigError, ResultError
from advlab.results.board.runs import judged_again, judged_run
from advlab.results.differences import ABOUT_THE_START
from advlab.statistics import Claim
from advlab.store.atomic import write_atomic
from advlab.store.names import is_plain_name
from advlab.store.run_directory import RunDirectory
from advlab.store.run_versions import versions_folder
from advlab.store.sealed import canonical, json_bytes, sha256, sha256_file
from advlab.store.tables import to_csv
from benchmarks.published.places import places, without_places

ROOTS = ("data_root", "cache_root", "output_root")
START = (
    "hydra.sweep.dir=",
    "hydra.job.chdir=",
    *(f"run.{root}=" for root in ROOTS),
)  # words that say where, and not what
FACTS = ("device_name", "threads", "rows", "seconds", "forwards", "backwards")


def publish(
    path: Path, root: Path, *, label: str = "", command: str = "", replace: bool = False, again: bool = False
) -> Path:
    """Write `experiments/<paper>/results/<experiment>/<label>/` with claims.csv and manifest.json; gives that folder.

    Args:
        path: a finished run.
        root: of the checkout.
        label: by default what the run's own folder is called, and its seed where that is not 0; `default` without a network.
        command: the line that makes the run, where the manifest's does not.
        replace: also where the folder holds the result of another configuration.
        again: judge its table by today's rules, which may be others than the run's.

    Raises:
        ResultError: the run is not finished, damaged, or says where it was measured.
        ConfigError: its experiment is a plug-in's, or the folder holds another result.
    """
    run = RunDirectory.open(path)
    judged = judged_run(run)
    if damaged := run.damaged():
        raise ResultError(f"{path}: {', '.join(damaged)} does not match the manifest: rebuild it by advlab resume")
    label = label or default_label(judged.nodes)
    if not is_plain_name(label):
        raise ConfigError(f"--label {label}: letters, digits, '.', '_', '-' and '+' make a name")
    folder = root / "experiments" / paper_folder(judged.experiment) / "results" / judged.experiment / label
    content = reduced_manifest(run, command)
    target = RunDirectory(folder)
    if target.manifest_path.is_file() and not replace and target.manifest().get("digest") != content["digest"]:
        raise ConfigError(f"{folder} holds another configuration: name the folder by --label, or --replace it")
    claims = run.claims_path.read_bytes()
    if again:
        claims = to_csv(list(judged_again(judged, remarks=[]).claims.values()), Claim).encode()
    content["files"] = {"claims.csv": sha256(claims)}
    content["seal"] = sha256(canonical(content))
    text = lines_of(content)
    if found := places(text + claims.decode("utf-8")):
        raise ResultError(f"{path}: its claims or manifest name {found[0]}, a place on this machine: mend that before")
    write_atomic(target.claims_path, claims)
    write_atomic(target.manifest_path, text.encode("utf-8"))
    return folder


def default_label(nodes: Mapping[str, Mapping[str, Any]]) -> str:
    """`mnist-lenet-fgs-seed1`; `default` of runs without dataset and model."""
    folder = versions_folder(Path("root"), nodes)
    name = folder.name if len(folder.parts) > 2 else "default"
    seed = nodes.get("run", {}).get("seed", 0)
    return f"{name}-seed{seed}" if seed else name


def paper_folder(experiment: str) -> str:
    """The folder of experiments/ in which an experiment lies.

    Raises:
        ConfigError: it lies elsewhere, as a plug-in's.
    """
    module = components.REGISTRIES["experiment"].load(experiment).__module__
    if not module.startswith("advlab.experiments."):
        raise ConfigError(f"{experiment} is a plug-in's: results of packaged experiments are published")
    return str(module.split(".")[2])


def reduced_manifest(run: RunDirectory, command: str = "") -> dict[str, Any]:
    """What is published of a manifest: configuration, versions, device, digests, accuracy and cost, without places.

    Raises:
        ConfigError: the manifest names no command that makes the run.
    """
    manifest = run.manifest()
    nodes = {group: dict(node) for group, node in manifest["config"].items()}
    if "run" in nodes:
        nodes["run"] = {key: value for key, value in nodes["run"].items() if key not in ABOUT_THE_START}
    dataset, model, versions = (manifest.get(key, {}) for key in ("dataset", "model", "versions"))
    reduced = {
        "status": "complete", "experiment": manifest["experiment"], "paper": manifest.get("paper", ""),
        "label": manifest.get("label", ""), "command": command or command_of(manifest.get("command", [])),
        "versions": {name: versions[name] for name in ("advlab", "torch") if name in versions},
        **{name: manifest[name] for name in FACTS if name in manifest},
        "precision": manifest.get("execution", {}).get("precision", ""),
        "dataset": {name: dataset[name] for name in ("name", "split", "images", "digest") if name in dataset},
        "model": {name: model[name] for name in ("name", "weights", "origin", "parameters", "faults") if name in model},
        "clean_accuracy": manifest.get("clean_accuracy", {}), "samples": samples_of(run),
        "table": sha256_file(run.table_path), "digest": manifest.get("digest", ""), "config": nodes,
    }  # fmt: skip
    kept = {key: value for key, value in without_places(reduced).items() if value not in ("", {}, 0)}
    return json.loads(json_bytes(kept))  # type: ignore[no-any-return]


def command_of(words: Sequence[str]) -> str:
    """The command line of a manifest without what says where files lie: `advlab -m model=ciresan,aghdam run.preset=laptop`.

    Raises:
        ConfigError: it makes no new run.
    """
    if not words or words[1:2] == ["resume"]:
        raise ConfigError(
            "the run was resumed, so that its manifest names no command that makes it: type one by --command"
        )
    typed = [word.lstrip("+") for word in words[1:]]
    typed = ["-m" if word == "--multirun" else word for word in typed if not word.startswith(START)]
    return shlex.join(["advlab", *map(without_places, typed)])


def samples_of(run: RunDirectory) -> int:
    """How many samples the table is about; 0 where its rows are about none."""
    table = run.read_table()
    return int(table["sample"].nunique()) if "sample" in table else 0


def lines_of(content: Mapping[str, Any]) -> str:
    """JSON with a line for each key, and of the configuration one for each group: short, and readable in a diff."""
    lines = []
    for key, value in content.items():
        text = json_bytes(value).decode("utf-8")
        if key == "config":
            groups = ",\n".join(
                f"  {json_bytes(group).decode()}: {json_bytes(node).decode()}" for group, node in value.items()
            )
            text = f"{{\n{groups}\n }}"
        lines.append(f" {json_bytes(key).decode()}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
