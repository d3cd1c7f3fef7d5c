"""Which tables of a run are written, in which format and whither: `advlab export` and `Run.export`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from advlab.errors import ConfigError, MissingPackageError, suggest
from advlab.results.board.markdown import escaped, table
from advlab.results.export.latex import latex_table
from advlab.results.export.lossless import json_document
from advlab.results.export.readable import readable
from advlab.results.written import check_absent, write_bytes, write_text
from advlab.store.tables import Frame

FORMATS = ("markdown", "latex", "json", "parquet")
TABLES = ("summary", "claims", "table")
TITLES = {"summary": "summary", "claims": "claims", "table": "rows"}


def chosen_tables(run: Any, names: tuple[str, ...]) -> dict[str, Frame]:
    """The tables of a run (`Run`) by their names; without a name the summary and the claims, if it has such.

    Raises:
        ConfigError: there is no such table, or the run has none.
    """
    for name in names:
        if name not in TABLES:
            raise ConfigError(f"there is no table {name!r}. {suggest(name, TABLES)}")
    if "summary" in names and run.summary is None:
        raise ConfigError(f"{run.path} has no summary: type --table claims or --table table")
    if names:
        return {name: getattr(run, name) for name in dict.fromkeys(names)}
    found = {name: getattr(run, name) for name in ("summary", "claims")}
    filled = {name: frame for name, frame in found.items() if frame is not None and len(frame)}
    return filled or {"table": run.table}


def exported(run: Any, tables: dict[str, Frame], form: str) -> str:
    """Some tables of a run as text.

    Args:
        run: a `Run`.
        tables: of it, see `chosen_tables`.
        form: markdown, latex or json.
    """
    label = str(run.manifest.get("label", run.path.name))
    experiment = str(run.manifest.get("experiment", ""))
    if form == "json":
        return json_document({"experiment": experiment, "label": label, "path": str(run.path)}, tables)
    parts = []
    for name, frame in tables.items():
        header, lines = readable(frame, claims=name == "claims")
        title = f"{experiment}, {label}: {TITLES[name]}"
        if form == "latex":
            parts.append(latex_table(header, lines, title))
        else:
            cells = [[escaped(cell) for cell in line] for line in lines]
            parts.append(f"## {escaped(title)}\n\n{table([escaped(name) for name in header], cells)}")
    return "\n".join(parts)


def write_export(run: Any, form: str, names: tuple[str, ...], path: Path | None, overwrite: bool) -> str | Path:
    """Write some tables of a run to a file, which is given back, or give them back as text where none is named.

    Raises:
        ConfigError: an unknown format or table, or a file that is there and is not to be overwritten.
        MissingPackageError: Parquet needs pyarrow.
        StorageError: the file system refuses.
    """
    if form not in FORMATS:
        raise ConfigError(f"there is no format {form!r}. {suggest(form, FORMATS)}")
    if form == "parquet" and path is None:
        raise ConfigError("parquet is no text: type --output FILE")
    if form == "parquet" and len(names) > 1:
        raise ConfigError(f"a parquet file holds one table: type --table {names[0]}")
    if path is not None and not overwrite:
        check_absent(path)
    tables = chosen_tables(run, names)
    if path is not None and form == "parquet":
        write_bytes(path, parquet(next(iter(tables.values()))))
        return path
    text = exported(run, tables, form)
    if path is None:
        return text
    write_text(path, text)
    return path


def parquet(frame: Frame) -> bytes:
    """A table as the bytes of a Parquet file.

    Raises:
        MissingPackageError: pyarrow cannot be imported.
    """
    try:
        data: bytes = frame.to_parquet(None, engine="pyarrow", index=False)
    except ImportError as error:
        cause = os.linesep.join(str(error).splitlines()[:1])
        raise MissingPackageError(f'parquet needs pyarrow ({cause}): pip install "advlab[parquet]"') from error
    return data
