"""What messages print to be pasted goes through a real shell, and arrives as it was meant."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import advlab
from advlab.cli.launch import parse
from advlab.config.compose import Composer
from advlab.errors import ConfigError, ResultError
from advlab.shell import command_to_resume, shell_path, shell_word, typed_override
from tests.helpers.commands import Ended
from tests.helpers.long_cases import one_in

#: what a path or a name may hold
ODD = [
    "epoch=3-step=5.ckpt", "=a", "a=", "my file", "it's", 'say "x"', "both'\"", "[old] x", "[old]", "{a}", "{a: b}", "x{",
    "(1)", "x (1).pt", "größe.pt", "#1", "a #b", "R&D", "a;b", "a|b", "$HOME", "${HOME}", "a${x}b", "${dataset.name}",
    "$(touch x)", "`touch x`", "back\\slash", "end\\", "\\'", "\\\\'", "\\${x}", "a,b", ",a", "a,", "-x", "--help", "~x",
    "!x", "a!b", "*", "?.pt", "<a>", "a:b", "true", "007", "1e3", "1_0", "inf", "a%b", "a^b", "@a", " a", "a ", "a\tb", "a\nb",
    "choice(a,b)", "range(3)", "x" * 300,
]  # fmt: skip

DRIVER = """
import json, sys
from advlab.cli.launch import parse
from advlab.config.compose import Composer
key, said = sys.argv[1].split("."), []
with Composer(None) as composer:
    for word in sys.argv[2:]:
        try:
            job = composer.jobs(parse(["dataset=folder", word]).overrides, multirun=False)[0]
            said.append(job.nodes[key[0]][key[1]])
        except Exception as error:
            said.append(str(error))
print(json.dumps(said))
"""


def bash(script: str, cwd: Path) -> str:
    """What a script of bash prints; `advlab` is this project's."""
    function = f'advlab() {{ {shell_word(sys.executable)} -m advlab "$@"; }}'
    done = subprocess.run(
        ["bash", "-c", f"{function}\n{script}"], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def values(key: str, words: list[str], cwd: Path) -> list[str]:
    """What each word of a shell sets `key` to, or the message that refuses it."""
    words = [shell_word(sys.executable), "-c", shell_word(DRIVER), key, *words]
    said: list[str] = json.loads(bash(" ".join(words), cwd))
    return said


def test_words_are_words_of_a_shell(tmp_path: Path) -> None:
    texts = [*ODD, "", "\udcff1", "a\x007"[:1] + "\x07" + "7"]
    done = subprocess.run(
        ["bash", "-c", "printf '%s\\0' " + " ".join(map(shell_word, texts))],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert [os.fsdecode(text) for text in done.stdout.split(b"\0")[:-1]] == texts
    assert list(tmp_path.iterdir()) == []
    assert shell_word("outputs/v001") == "outputs/v001"


def test_a_text_in_full_quotation_marks_reaches_the_configuration(tmp_path: Path) -> None:
    assert values("dataset.label", [typed_override("dataset.label", text) for text in ODD], tmp_path) == ODD


@pytest.mark.parametrize("key", one_in(2, ["dataset.label", "probe.layer"]))
def test_a_text_is_taken_as_it_stands_or_the_message_says_a_word_that_works(key: str, tmp_path: Path) -> None:
    """Typed with the shell's own quotation marks alone, as a user does who knows nothing of Hydra's grammar."""
    said = {}
    with Composer(None) as composer:
        for text in ODD:
            try:
                (job,) = composer.jobs(parse(["dataset=folder", f"{key}={text}"]).overrides, multirun=False)
                said[text] = job.nodes["dataset"]["label"] if key == "dataset.label" else text
            except ConfigError as error:
                said[text] = str(error)
    words = {text: typed_override(key, text) for text in ODD}
    refused = [text for text in ODD if words[text] in said[text]]
    taken = [text for text in ODD if said[text] == text]
    # interpolations and what is escaped for Hydra keep their meaning; isotropy has no use for a layer
    others = [said[text] for text in ODD if text not in refused + taken]
    assert others == ["folder", "${x}"] if key == "dataset.label" else len(refused) > 25
    in_label = [words[text].replace(key, "dataset.label") for text in refused]
    assert values("dataset.label", in_label, tmp_path) == refused


@pytest.mark.parametrize("name", one_in(2, ["epoch=3-step=5.ckpt", 'it\'s "a" [b] {c} #d & e$f, g\\h ü', "007"]))
def test_the_message_about_a_checkpoint_survives_a_shell(name: str, cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli(f"model.checkpoint={name}", "run.dry=true")
    assert ended.code == 2
    (remedy,) = re.findall(r"for one value with a comma (.*)\)$", ended.err.strip()) or [
        shell_word(f"model.checkpoint={name}")
    ]
    done = bash(f"advlab run.dry=true {remedy} 2>&1 || true", tmp_path)
    assert f"{tmp_path / name} does not exist" in done


def test_runs_in_odd_folders_are_resumed_and_drawn_by_what_is_printed(tmp_path: Path) -> None:
    """One folder with all letters that have a meaning somewhere: a sweep's own folder lies below it, too."""
    odd = '-o $x it\'s "a" [b] {c} #d & e=f, g\\h ü;`i`'
    small = "experiment=hard_points experiment.resolution=60 experiment.degree=2 experiment.draws=0 experiment.hypotheses=basis"
    root = typed_override("run.output_root", odd)
    printed = bash(f"COLUMNS=9999 advlab -m {small} {root} run.seed=0,1 2>&1", tmp_path)
    again = next(text.partition("again:")[2].strip() for text in printed.splitlines() if text.startswith("again:"))
    assert "holds in 2 of 2" in bash(again, tmp_path)
    run = tmp_path / odd / "hard_points" / "v001"
    (run / "manifest.json").unlink()
    with pytest.raises(ResultError, match="is not finished") as caught:
        advlab.load(run)
    bash(str(caught.value).partition("go on with `")[2][:-1], tmp_path)
    assert advlab.load(run).manifest["status"] == "complete"


def test_a_path_is_never_a_flag() -> None:
    assert shell_path("-x/v001") == "./-x/v001"
    assert command_to_resume("-x y", "--plugin", "it's.py") == 'advlab --plugin "it\'s.py" resume "./-x y"'
