"""Finished runs with figures, summaries and kept pictures, some of them a stranger's, for the report."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from advlab.statistics.claims import Claim
from advlab.store.run_directory import RunDirectory
from tests.helpers.claimed_runs import claim_of, claimed_nodes, finished_run

#: runs something where it is not escaped, ends an attribute, a script or a comment, or turns the direction of text
HOSTILE_TEXT = (
    "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'>\"'></td>{{7*7}}{% x %}--><b>\u202e"
)
SUMMARY = "run,layer,radius,accuracy\n" + "".join(
    f"x,{name},{radius},{accuracy}\n"
    for name, radius, accuracy in [("conv1", 10, 0.5), ("conv2", 9, ""), ("fc", 100, 0.25), ("fc", 2, "nan"), ("ip", 1, "-inf"),
                                   ("ip", -3, 1e-9)]
)  # fmt: skip


def drawn_png(width: int = 40, height: int = 30) -> bytes:
    """A grey picture."""
    file = io.BytesIO()
    Image.new("L", (width, height), 128).save(file, "PNG")
    return file.getvalue()


def reported(
    path: Path, nodes: dict[str, dict[str, Any]], claims: list[Claim] | None = None, *, summary: str = SUMMARY,
    files: dict[str, bytes] | None = None, **facts: Any,
) -> Path:  # fmt: skip
    """A finished run with a figure, a summary and what else is given.

    Args:
        path: of its directory.
        nodes: its configuration.
        claims: one that holds, where none are given.
        summary: the text of summary.csv; there is none where it is empty.
        files: name -> content; by default a figure.
        facts: of its manifest, as of `finished_run`.
    """
    finished_run(path, nodes, [claim_of("holds")] if claims is None else claims, **facts)
    run = RunDirectory(path)
    name = nodes["experiment"]["name"]
    contents = {f"figures/{name}.png": drawn_png()} if files is None else files
    contents |= {"summary.csv": summary.encode()} if summary else {}
    for file, content in contents.items():
        (path / file).parent.mkdir(exist_ok=True)
        (path / file).write_bytes(content)
    run.renew_digests([path / file for file in contents])
    return path


def hostile_run(path: Path) -> Path:
    """A run in which every text that its writer chooses runs something where it is not escaped."""
    claim = claim_of(
        "holds", claim=HOSTILE_TEXT, subset=HOSTILE_TEXT, statement=f"section 2: {HOSTILE_TEXT}", quantity=HOSTILE_TEXT
    )
    nodes = claimed_nodes(
        "isotropy", HOSTILE_TEXT, dataset={"name": HOSTILE_TEXT, "root": HOSTILE_TEXT}, probe={"name": HOSTILE_TEXT}
    )
    texts = ["device_name", "job"]
    return reported(
        path, nodes, [claim, claim_of("undecided", subset=HOSTILE_TEXT)],
        summary=f'run,"{quoted(HOSTILE_TEXT)}",value\n' + f'x,"{quoted(HOSTILE_TEXT)}",1\n' * 6,
        files={"figures/isotropy.png": drawn_png(), "files/000001.png": drawn_png(8, 8)},
        paper=f"x{HOSTILE_TEXT}, {HOSTILE_TEXT}", dataset={"name": HOSTILE_TEXT, "classes": [HOSTILE_TEXT] * 3},
        versions={HOSTILE_TEXT: HOSTILE_TEXT}, git={"commit": HOSTILE_TEXT}, model={"name": HOSTILE_TEXT},
        command=["advlab", HOSTILE_TEXT], **dict.fromkeys(texts, HOSTILE_TEXT),
    )  # fmt: skip


def quoted(text: str) -> str:
    """A text within the quotation marks of a CSV file."""
    return text.replace('"', '""')
