"""The summary as a table of the page, and the pictures and sweeps that are looked at: within bounds, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from advlab.results.page.named_runs import folders_of
from advlab.results.page.numbers import MOST_LINES, arranged, numbers_of
from advlab.results.page.pictures import size_of
from advlab.store.run_directory import RunDirectory
from tests.helpers.claimed_runs import claimed_nodes
from tests.helpers.reported_runs import drawn_png, reported


def test_the_label_is_left_out_and_numbers_have_their_values() -> None:
    head = ["run", "layer", "index", "share", "found"]
    table = arranged(head, [["x", f"conv{n}", f"00{n}", f"{n}.123456", "True"] for n in range(6)])
    assert table is not None
    assert table.head == head[1:]
    assert [value.text for value in table.lines[1]] == ["conv1", "001", "1.123", "True"]
    assert [value.number for value in table.lines[1]] == ["", "", "1.123456", ""]
    assert table.numeric == [False, False, True, False]


def test_few_lines_with_many_columns_are_turned() -> None:
    head = ["run", "network", *(f"q{n}" for n in range(9))]
    table = arranged(head, [["x", name, *(str(n) for n in range(9))] for name in ("lenet", "mlp")])
    assert table is not None
    assert table.head == ["network", "lenet", "mlp"]
    assert [[value.text for value in line] for line in table.lines[:2]] == [["q0", "0", "0"], ["q1", "1", "1"]]
    single = arranged(["run", "a", "b", "c"], [["x", "1", "2", "3"]])
    assert single is not None
    assert (single.head, len(single.lines)) == (["quantity", "value"], 3)
    alike = arranged(["a", "b", "c", "d", "e", "f", "g"], [["1"] * 7] * 3)
    assert alike is not None
    assert alike.head == ["quantity", "line 1", "line 2", "line 3"]


def test_long_summaries_are_cut_and_say_so(tmp_path: Path) -> None:
    path = reported(tmp_path / "v001", claimed_nodes(), summary="run,a,b\n" + "x,1,2\n" * (MOST_LINES + 7))
    remarks: list[str] = []
    table = numbers_of(RunDirectory(path), {}, remarks)
    assert table is not None
    assert (len(table.lines), table.left_out, remarks) == (MOST_LINES, 7, [])
    for content, words in ((b"\xff\xfe", "utf-8"), (b"", "not enough"), (b"a," * 200 + b"b\n", "too long")):
        (path / "summary.csv").write_bytes(content)
        assert numbers_of(RunDirectory(path), {}, remarks) is None
        assert words in remarks.pop()


def test_a_picture_has_the_size_of_its_head() -> None:
    assert size_of(drawn_png(123, 45)) == (123, 45)
    huge = drawn_png()[:16] + b"\x00\x01\x00\x00" * 2 + drawn_png()[24:]
    for content, words in ((b"GIF89a", "no PNG"), (drawn_png()[:20], "no PNG"), (huge, "65536 x 65536 pixels")):
        with pytest.raises(ValueError, match=words):
            size_of(content)


def test_a_sweep_names_its_runs_wherever_its_folder_was_moved(tmp_path: Path) -> None:
    outputs = tmp_path / "moved"
    sweep = outputs / ".sweeps" / "time"
    sweep.mkdir(parents=True)
    runs = [reported(outputs / "isotropy" / f"digits-{n}" / "v001", claimed_nodes(run={"seed": n})) for n in range(3)]
    secret = reported(tmp_path / "secret" / "v001", claimed_nodes())
    (outputs / "link").symlink_to(secret)
    details: list[tuple[object, str]] = [
        ("/former/outputs/isotropy/digits-1/v001", "done"), ("outputs/isotropy/digits-0/v001", "done"),
        (str(runs[2]), "failed"), (str(secret), "done"), ("../secret/v001", "done"), ("link", "done"), (5, "done"), ("\0", "done"),
    ]  # fmt: skip
    for number, (detail, status) in enumerate(details):
        (sweep / f"outcome-{number}.json").write_text(json.dumps({"status": status, "detail": detail}))
    (sweep / "outcome-99.json").write_text("{")
    remarks: list[str] = []
    assert folders_of([sweep, runs[2]], remarks) == [runs[1], runs[0], runs[2]]
    assert len(remarks) == 7
    assert folders_of([outputs], remarks) == [outputs]
