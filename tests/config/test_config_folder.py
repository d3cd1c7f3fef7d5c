"""YAML files of a config folder that are too large, too deep or repeat themselves end in one line, before they are expanded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from advlab.config.compose import Composer
from advlab.config.config_folder import LARGEST_INTERPOLATED, MOST_INTERPOLATIONS, check_interpolations
from advlab.errors import ConfigError
from tests.helpers.commands import Ended

LINES = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30))
DOUBLED = "".join(f"  a{n}: ${{probe.a{n - 1}}}${{probe.a{n - 1}}}\n" for n in range(1, 40))
BOMBS = {
    "aliases": (f"name: sphere\na0: &a0 x\n{LINES}", "values"),
    "merged aliases": ("name: sphere\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}}}\n" for n in range(1, 60)), "a0"),
    "an alias in itself": ("name: sphere\na: &a [*a]\n", "stands in what it names"),
    "depth": ("name: sphere\nradii: " + "[" * 5000 + "]" * 5000, "nested more than 40 deep"),
    "depth by lines": ("name:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 400)), "nested more than 40 deep"),
    "length": ("name: sphere\nradii: [" + "1, " * 400_000 + "1]\n", "bytes, at most"),
    "values": ("name: sphere\nradii: [" + "1," * 200_000 + "1]\n", "more than 50,000 values"),
    "interpolations": (f"# @package _global_\nprobe:\n  name: sphere\n  a0: xxxxxxxx\n{DOUBLED}", "${...}"),
    "nested interpolations": ("name: sphere\nnoise: " + "${" * 3000 + "}" * 3000, "${...}"),
    "a number": ("name: sphere\ntrials: " + "9" * 6000, "a number of 6,000 digits"),
    "a hexadecimal number": ("name: sphere\ntrials: 0x" + "f" * 5000, "a number of 5,002 digits"),
    "a binary number": ("name: sphere\ntrials: -0b" + "1_" * 9000 + "1", "a number of 18,004 digits"),
    "an octal number": ("name: sphere\ntrials: 0" + "7" * 6000, "a number of 6,001 digits"),
    "a sexagesimal number": ("name: sphere\ntrials: " + ":".join(["59"] * 3000), "a number of 8,999 digits"),
    "a tagged number": ("name: sphere\ntrials: !!int '0x" + "f" * 5000 + "'", "a number of 5,002 digits"),
    "bytes": ("name: sphere\nnoise: \udcff\n", "decode"),
    "defaults that double": (
        "defaults:\n  - p1@x\n  - p1@y\nname: sphere\n",
        "the defaults lists name more than 1000 files",
    ),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_one_line(what: str, cli: Callable[..., Ended], tmp_path: Path) -> None:
    text, said = BOMBS[what]
    folder = tmp_path / "mine/probe"
    folder.mkdir(parents=True)
    (folder / "evil.yaml").write_text(text, errors="surrogateescape")
    if what.startswith("defaults"):
        for n in range(1, 12):
            (folder / f"p{n}.yaml").write_text(f"defaults:\n  - p{n + 1}@x\n  - p{n + 1}@y\n")
        (folder / "p12.yaml").write_text("{}")
    ended = cli("--config-dir", "mine", "probe=evil", "run.dry=true")
    assert ended.code == 2
    assert said in ended.err
    assert len(ended.err) < 4000
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("run", "key"),
    [
        ("'${oc.create:{output_root: /elsewhere}}'", "output_root"),
        ("${oc.select:probe.x}", "data_root"),
        ("${probe.x}", "data_root"),
    ],
)
def test_no_interpolation_says_where_files_are_written(run: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "probe").mkdir()
    text = "# @package _global_\nprobe: {name: sphere, x: {data_root: /elsewhere}}\n"
    (tmp_path / "probe/evil.yaml").write_text(f"{text}run: {run}\n")
    with (
        Composer(str(tmp_path)) as composer,
        pytest.raises(ConfigError, match=rf"run\.{key}: a YAML file must not say where"),
    ):
        composer.jobs(["probe=evil"], multirun=False)
    with Composer(str(tmp_path)) as composer:  # what is typed is the user's own
        assert composer.compose(["probe=evil", f"run.{key}=mine"])[0]["run"][key] == "mine"


def test_what_is_no_folder_or_cannot_be_read_is_one_line(cli: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").touch()
    for folder in ("dangling", "file", "x" * 5000, "a\0b"):
        ended = cli("--config-dir", folder, "run.dry=true")
        assert ended.code == 2
        assert "there is no such folder" in ended.err
        assert len(ended.err.splitlines()) == 1
    (tmp_path / "mine/probe").mkdir(parents=True)
    (tmp_path / "mine/probe/gone.yaml").symlink_to("nowhere")
    assert "there is no probe 'gone'" in cli("--config-dir", "mine", "probe=gone").err
    (tmp_path / "mine/probe/pipe.yaml").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "mine/probe/pipe.yaml")
    assert cli("--config-dir", "mine", "probe=pipe").code == 2  # and does not wait for one who writes


def test_another_users_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(ConfigError, match="could not be read"):
        Composer(str(tmp_path))


def test_a_few_interpolations_are_taken() -> None:
    few = {"a": [{"b": "${c}"}] * MOST_INTERPOLATIONS}
    check_interpolations(few)
    with pytest.raises(ConfigError, match="write the values themselves"):
        check_interpolations({**few, "d": "${c}"})
    check_interpolations({"a": "x" * 10 * LARGEST_INTERPOLATED})
    with pytest.raises(ConfigError, match="write the values themselves"):
        check_interpolations({"a": "x" * LARGEST_INTERPOLATED, "b": "${a}"})
