"""Finished runs of which the claims are made up: run directories of a few files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from advlab.statistics.claims import Claim, Verdict
from advlab.store.run_directory import RunDirectory
from advlab.store.tables import to_csv


def claim_of(verdict: Verdict, **changes: Any) -> Claim:
    """A claim about a share, with numbers that fit its verdict."""
    numbers = {
        "holds": (0.9, 0.8, 0.95), "does not hold": (0.1, 0.05, 0.2), "undecided": (0.5, 0.3, 0.7),
        "not measured": (float("nan"),) * 3,
    }  # fmt: skip
    estimate, low, high = numbers[verdict]
    values = {
        "claim": "small", "subset": "", "statement": 'section 2.1: "it is small"', "quantity": "share", "relation": ">",
        "threshold": 0.5, "estimate": estimate, "low": low, "high": high, "samples": 30, "verdict": verdict,
    }  # fmt: skip
    return Claim(**{**values, **changes})


def claimed_nodes(experiment: str = "isotropy", model: str = "lenet", **groups: Any) -> dict[str, dict[str, Any]]:
    """A configuration of some groups: `run={"seed": 1}` adds to those that are there."""
    nodes: dict[str, dict[str, Any]] = {
        "experiment": {"name": experiment}, "model": {"name": model}, "dataset": {"name": "digits"},
        "attack": {"name": "none"}, "defense": {"name": "none"}, "run": {"seed": 0, "preset": "paper"},
    }  # fmt: skip
    for group, values in groups.items():
        nodes[group] = {**nodes.get(group, {}), **values}
    return nodes


def finished_run(
    path: Path, nodes: dict[str, dict[str, Any]], claims: list[Claim] | str, *, table: str = "",
    paper: str = "aghdam2017, figure 1", scope: str = "", status: str = "complete", **facts: Any,
) -> Path:  # fmt: skip
    """Write a run directory.

    Args:
        path: of the directory.
        nodes: the configuration.
        claims: made up, or the text of claims.csv as it is.
        table: the text of table.csv; there is none where it is empty.
        paper: as the manifest has it.
        scope: what all claims are about: `all` or `most` networks.
        status: as the manifest has it.
        facts: more of the manifest.
    """
    run = RunDirectory(path)
    path.mkdir(parents=True)
    run.config_path.write_text(yaml.safe_dump(nodes), encoding="utf-8")
    text = claims if isinstance(claims, str) else to_csv([replace(claim, networks=scope) for claim in claims], Claim)
    run.claims_path.write_text(text, encoding="utf-8")
    files = [run.config_path, run.claims_path]
    if table:
        run.table_path.write_text(table, encoding="utf-8")
        files.append(run.table_path)
    name = nodes["experiment"]["name"]
    run.write_manifest(
        {"status": status, "experiment": name, "paper": paper, "label": name, "config": nodes, **facts}, files
    )
    return path
