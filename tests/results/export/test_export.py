"""Tables of a run as LaTeX, Markdown, JSON and Parquet: hostile names stay text, and numbers stay what they are."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from advlab.errors import ConfigError, MissingPackageError
from advlab.results.export.export import parquet
from advlab.results.export.latex import escaped, latex_table
from advlab.results.load import Run
from advlab.statistics.claims import Claim

HOSTILE = '\\input{/etc/passwd} | 50 % & $x_1^2$ # ~<b>[1]*`--"\n\x1b猫'


def claim(**keys: Any) -> dict[str, Any]:
    numbers = {"threshold": 0.5, "estimate": 1 / 3, "low": 0.25, "high": math.inf, "samples": 7}
    words = {"claim": "small", "subset": HOSTILE, "statement": "sec 2", "quantity": "median", "relation": "<"}
    return vars(Claim(**{**words, **numbers, "verdict": "undecided", **keys}))  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    summary = pd.DataFrame(
        {
            "class": [HOSTILE, "b", None],
            "rate": [0.1 + 0.2, math.nan, -math.inf],
            "rate_low": [0.25, math.nan, -math.inf],
            "rate_high": [0.5, math.nan, 1e-300],
            "images": [3, 2**53 + 1, 0],
            "holds": [True, False, True],
        }
    )
    manifest = {"label": "lenet on digits", "experiment": "isotropy", "status": "complete"}
    return Run(tmp_path, summary.iloc[:2], pd.DataFrame([claim(), claim(subset="", samples=0)]), manifest, summary)


def test_json_is_lossless(run: Run) -> None:
    content = json.loads(str(run.export("json", tables=["summary"])), parse_constant=pytest.fail)
    assert (content["format"], content["version"]) == ("advlab-export", 1)
    table = content["tables"]["summary"]
    assert [column["type"] for column in table["columns"]] == ["text", *["number"] * 3, "integer", "boolean"]
    assert [row[0] for row in table["rows"]] == [HOSTILE, "b", None]
    read = pd.DataFrame(table["rows"], columns=[column["name"] for column in table["columns"]])
    assert run.summary is not None
    for column in table["columns"]:
        if column["type"] == "number":
            pd.testing.assert_series_equal(
                read[column["name"]].map(float), run.summary[column["name"]], check_exact=True
            )
    assert read["images"].tolist() == [3, 2**53 + 1, 0]
    assert read["holds"].tolist() == [True, False, True]


def cells(line: str) -> list[str]:
    """The cells of a line of a Markdown table."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_markdown_keeps_its_columns_whatever_a_name_holds(run: Run) -> None:
    text = str(run.export())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert cells(lines[0]) == ["class", "rate", "images", "holds"]
    assert {len(cells(line)) for line in lines[:5]} == {4}
    assert {len(cells(line)) for line in lines[5:]} == {7}
    assert cells(lines[2])[1] == r"0.3 \[0.25, 0.5\]"
    assert cells(lines[3])[1] == ""
    assert cells(lines[7])[3] == r"0.333 \[0.25, inf\]"
    assert r"50 % \& $x\_1^2$" in lines[2]


def test_latex_prints_hostile_names_and_runs_none(run: Run) -> None:
    text = str(run.export("latex"))
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    rows = [row for row in re.split(r"\\\\\n", body) if row.strip()]
    assert all(len(re.findall(r"(?<!\\)&", row)) == 3 for row in rows)
    commands = set(re.findall(r"\\([A-Za-z]+)", text))
    assert "input" not in commands
    assert commands <= {
        "begin", "end", "centering", "caption", "toprule", "midrule", "bottomrule", "textbackslash", "textbar", "ensuremath",
        "infty", "times",
        "textasciitilde", "textasciicircum", "textasciigrave", "texttt",
    }  # fmt: skip
    assert text.isascii()
    assert braces_match(text)
    assert r"\begin{tabular}{@{}llrl@{}}" in text
    assert r"\textbackslash{}input\{/etc/passwd\}" in text


def braces_match(text: str) -> bool:
    depth = 0
    for sign in re.findall(r"\\.|[{}]", text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            return False
    return depth == 0


def test_every_sign_of_ascii_is_itself_or_escaped() -> None:
    for sign in map(chr, range(32, 127)):
        if sign in "\\{}$&#^_%~":
            assert escaped(sign + "x").startswith("\\")
    assert latex_table(["a"], [["[1]"], ["*"]], "c").count("\\\\\n[") == 0
    assert escaped("éßŠ") == "éßŠ"
    assert escaped("ðế") == r"\texttt{U+00F0}\texttt{U+1EBF}"
    assert escaped("-1.5 [-inf, 2e-05] a-b") == (
        r"\ensuremath{-}1.5 {[}\ensuremath{-}\ensuremath{\infty}, 2\ensuremath{\times10^{-5}}{]} a{-}b"
    )
    assert escaped("\U0001f408") == r"\texttt{U+1F408}"


def test_parquet_reads_back(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason='needs pip install "advlab[parquet]"')
    path = tmp_path / "a.parquet"
    assert run.export("parquet", path=path) == path
    assert run.summary is not None
    pd.testing.assert_frame_equal(pd.read_parquet(path), run.summary, check_exact=True)


def test_parquet_without_pyarrow_says_what_to_type() -> None:
    class Frame:
        def to_parquet(self, *_: Any, **__: Any) -> bytes:
            raise ImportError("Missing optional dependency 'pyarrow'.")

    with pytest.raises(MissingPackageError, match=r'pip install "advlab\[parquet\]"'):
        parquet(Frame())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"format": "latx"}, r"no format 'latx'\. Did you mean latex"),
        ({"tables": ["claim"]}, r"no table 'claim'\. Did you mean claims"),
        ({"format": "parquet"}, "parquet is no text: type --output FILE"),
        ({"format": "parquet", "tables": ["claims", "table"], "path": "x"}, "one table: type --table claims"),
    ],
)
def test_faults_are_named(run: Run, keys: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        run.export(**keys)


def test_a_file_that_is_there_stays_unless_told(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    assert run.export(path=path) == path
    written = path.read_text()
    assert written == run.export()
    path.write_text("mine")
    with pytest.raises(ConfigError, match="is there already: type --overwrite"):
        run.export(path=path)
    assert path.read_text() == "mine"
    run.export(path=path, overwrite=True)
    assert path.read_text() == written


def test_a_run_without_summary_gives_its_claims(run: Run) -> None:
    bare = Run(run.path, run.table, run.claims, run.manifest)
    assert set(json.loads(str(bare.export("json")))["tables"]) == {"claims"}
    with pytest.raises(ConfigError, match="has no summary: type --table claims"):
        bare.export(tables=["summary"])


def test_wide_tables_have_a_line_for_each_column(run: Run) -> None:
    wide = pd.DataFrame({f"x{n}": [n, 2 * n] for n in range(9)})
    bare = Run(run.path, run.table, run.claims.iloc[:0], run.manifest, wide)
    lines = [cells(line) for line in str(bare.export()).splitlines() if line.startswith("|")]
    assert lines[0] == ["x0", "0", "0"]
    assert lines[-1] == ["x8", "8", "16"]
    assert list(json.loads(str(bare.export("json")))["tables"]) == ["summary"]


def test_the_command_line(cli: Callable[..., Any], tmp_path: Path) -> None:
    ended = cli("run.preset=tiny", "recipe.epochs=1", "probe.confidence=0.1")
    assert ended.code == 0, ended.err
    folder = "outputs/isotropy/digits-lenet/v001"
    ended = cli("export", folder, "--table", "claims")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("## isotropy, lenet on digits: claims\n\n| claim | subset | quantity |")
    assert json.loads(cli("export", folder, "--format", "json").out)["run"]["label"] == "lenet on digits"
    assert cli("export", folder, "-o", "a.tex", "--format", "latex").code == 0
    ended = cli("export", folder, "-o", "a.tex")
    assert ended.code == 2
    assert "--overwrite" in ended.err
    assert cli("export", folder, "-o", "a.tex", "--overwrite").code == 0
    assert cli("export", "nowhere").code == 2
