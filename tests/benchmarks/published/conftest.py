"""A checkout that is made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.claimed_runs import claim_of, claimed_nodes, finished_run


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Two papers, of which one has published results of two networks and readings."""
    for paper in ("aghdam2017", "barati2021"):
        (tmp_path / "experiments" / paper).mkdir(parents=True)
        (tmp_path / "experiments" / paper / "README.md").write_text("# A paper\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("# advlab\n", encoding="utf-8")
    results = tmp_path / "experiments" / "aghdam2017" / "results"
    for label, model, verdicts in (("a", "lenet", ("holds", "does not hold")), ("b", "vgg", ("undecided", "holds"))):
        claims = []
        for name, order in (("small", verdicts), ("large", verdicts[::-1])):
            said: Any = {"claim": name, "statement": f'section 1: "it is {name}"'}
            claims += [claim_of(v, subset=subset, **said) for subset, v in zip(("l2", "linf"), order, strict=True)]  # type: ignore[arg-type]
        finished_run(results / "isotropy" / label, claimed_nodes(model=model), claims)
    return tmp_path
