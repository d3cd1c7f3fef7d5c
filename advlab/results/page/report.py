"""The report from Python: `advlab.report`."""

from __future__ import annotations

import warnings
from pathlib import Path


def report(*places: str | Path, output: str | Path = "report.html") -> Path:
    """Finished runs as one HTML page that needs nothing else, by paper and figure; the same bytes for the same runs.

    Runs that are unfinished or damaged are left out, each with a warning and a line in the page.

    Args:
        places: runs, folders that hold runs, and sweeps (`outputs/.sweeps/<time>`); by default `outputs`.
        output: the file, which is replaced where there is one.

    Returns:
        The file.

    Raises:
        ResultError: a folder is missing, or holds no finished run; the file could not be written.
        ConfigError: `output` names no file.
    """
    # these load numpy, Hydra and Jinja, which `import advlab` need not wait for
    from advlab.results.page.contents import report_of
    from advlab.results.page.rendering import report_html
    from advlab.results.written import write_text

    made = report_of([Path(place) for place in places] or [Path("outputs")])
    for remark in made.remarks:
        warnings.warn(remark, stacklevel=2)
    write_text(Path(output), report_html(made))
    return Path(output)
