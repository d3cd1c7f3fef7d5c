"""What the shell offers at the tabulator key: by the command that its script calls, and at the keyboard of each shell."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advlab.cli.completion import offered
from advlab.cli.main import VERBS
from advlab.cli.shell_scripts import SCRIPTS
from tests.helpers.commands import Ended
from tests.helpers.long_cases import one_in
from tests.helpers.terminal import Terminal, advlab_on_path, terminal

PLUGIN = """
import advlab

print("a plug-in that speaks")

@advlab.model("grown_net", input_shape=(1, 28, 28), dataset="digits")
def grown_net(width: int = 3):
    from torch import nn
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
"""


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("advlab mod", "model="),
        ("advlab model=len", "model=lenet "),
        ("advlab model=len", "model=lenet_mnist "),
        ("advlab model=lenet run.see", "run.seed="),
        ("advlab run.data", "run.data_root="),
        ("advlab probe.radi", "probe.radii="),
        ("advlab probe", "probe."),
        ("advlab experiment.fl", "experiment.floor_factor="),
        ("advlab -m model=lenet,mlp dataset=digits model.h", "model.hidden="),
        ("advlab experiment=attack_survey attack=fooling attack.lev", "attack.level="),
        ("advlab experiment=nope model=mlp model.hid", "model.hidden="),
        ("advlab recipe.ep", "recipe.epochs="),
        ("advlab -m model=vgg1", "model=vgg16 "),
        ("advlab -m model=lenet,ml", "model=lenet,mlp "),
        ("advlab +probe.tr", "+probe.trials="),
        ("advlab run.preset=", "run.preset=laptop "),
        ("advlab run.dry=t", "run.dry=true "),
        ("advlab experiment=adversarial_gallery experiment.attacks=", "experiment.attacks=[fgs"),
        (
            "advlab experiment=adversarial_gallery experiment.attacks=[fgs,deepfool_l",
            "experiment.attacks=[fgs,deepfool_linf",
        ),
        ("advlab hydra/l", "hydra/launcher="),
        ("advlab hydra/launcher=jo", "hydra/launcher=joblib "),
        ("advlab --plugin nope.py model=len", "model=lenet "),
        ("advlab --mul", "--multirun "),
        ("advlab --cfg j", "job "),
        # commands
        ("advlab pl", "plot "),
        ("advlab compl", "completion "),
        ("advlab completion f", "fish "),
        ("advlab list mod", "models "),
        ("advlab describe iso", "isotropy "),
        ("advlab describe deepfool_l", "deepfool_linf "),
        ("advlab claims --for", "--format "),
        ("advlab claims --format ", "markdown "),
        ("advlab claims --format=mark", "--format=markdown "),
        ("advlab claims --experiment iso", "isotropy "),
        ("advlab claims --preset l", "laptop "),
        ("advlab claims --paper agh", "aghdam2017 "),
        ("advlab export RUN --format la", "latex "),
        ("advlab export RUN --format=pa", "--format=parquet "),
        ("advlab export RUN --table cl", "claims "),
        ("advlab compare RUN --format c", "csv "),
        ("advlab plot RUN --figure c", "column "),
        ("advlab resume RUN run.w", "run.workers="),
        ("advlab resume RUN cluster=slu", "cluster=slurm "),
        # files
        ("advlab plot ", "outputs/isotropy/"),
        ("advlab plot outputs/isotropy/di", "outputs/isotropy/digits-lenet/"),
        ("advlab status outputs/isotropy/digits-lenet/", "outputs/isotropy/digits-lenet/v001 "),
        ("advlab compare RUN outputs/isotropy/digits-lenet/v", "outputs/isotropy/digits-lenet/v001 "),
        ("advlab claims out", "outputs/"),
        ("advlab plot RUN -o no", "notes.txt "),
        ("advlab dataset.root=outp", "dataset.root=outputs/"),
        ("advlab model.checkpoint=no", "model.checkpoint=notes.txt "),
        ("advlab --plugin p", "plug.py "),
        ("advlab --plugin=p", "--plugin=plug.py "),
        ("advlab plot 'my r", "my\\ runs/"),
    ],
)
def test_what_is_offered(line: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs/isotropy/digits-lenet/v001").mkdir(parents=True)
    (tmp_path / "outputs/isotropy/digits-lenet/v001/config.yaml").write_text("")
    (tmp_path / "my runs").mkdir()
    for name in ("notes.txt", "plug.py"):
        (tmp_path / name).write_text("")
    if "'" in line:  # within quotation marks nothing is escaped
        wanted = wanted.replace("\\", "")
    assert wanted in offered("zsh", line)
    last = line.split(" ")[-1] if "'" not in line else "my r"
    assert all(word.startswith(last) for word in offered("zsh", line))


@pytest.mark.parametrize(
    "line",
    [
        "advlab describe nope", "advlab list models ", "advlab nope.ke", "advlab foo=b", "advlab run=",
        "advlab plot nowhere/x", "advlab --plugin", "advlab 'zz", "advlab model=${x", "advlab probe.radii=[0.1,",
        "advlab probe.nope=", "advlab \\", "advlab help me", "advlab --cfg job --package nope probe.zzz",
    ],
)  # fmt: skip
@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_nothing_is_offered_and_nothing_said(shell: str, line: str, cli: Callable[..., Ended]) -> None:
    ended = cli("completion", shell, "--", line)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out in ("", "--plugin \n", "--plugin\n")


def test_every_command_is_offered_and_every_option_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = offered("fish", "advlab ")
    assert set(VERBS) | {"model=", "run.", "hydra/launcher="} <= set(words)
    for verb in VERBS:
        assert "--help" in offered("fish", f"advlab {verb} --")


@pytest.mark.parametrize("flag", ["--plugin plug.py", "--plugin=plug.py", "run.seed=1 --plugin plug.py"])
def test_completion_knows_plugins_and_lets_none_speak(flag: str, shell: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "plug.py").write_text(PLUGIN)
    ended = shell("completion", "bash", "--", f"advlab {flag} model=grown", "")
    assert (ended.code, ended.out, ended.err) == (0, "model=grown_net \n", "")


def test_bash_takes_words_to_begin_behind_some_signs() -> None:
    assert offered("bash", "advlab model=le", "=:\n") == ["lenet ", "lenet_mnist ", "lenet_mnist_pgd "]
    assert "model=lenet " in offered("bash", "advlab model=le", "\n")


def test_the_script_of_each_shell(cli: Callable[..., Ended]) -> None:
    for name, script in SCRIPTS.items():
        assert cli("completion", name).out == script.strip() + "\n"
        assert cli("-sc", f"install={name}").out == cli("completion", name).out  # as version 0.1 had it
    assert cli("completion").code == 2
    assert "choose from" in cli("completion", "tcsh").err


SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        'eval "$(advlab completion bash)"; bind -x \'"\\C-t": printf "<%s>" "$READLINE_LINE"\'',
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        'eval "$(advlab completion zsh)"; show() { print -rn -- "<$BUFFER>" }; zle -N show; bindkey "^T" show',
    ),
    "fish": (
        ["fish", "--no-config", "-i"],
        "advlab completion fish | source; bind \\ct 'printf \"<%s>\" (commandline)'",
    ),
}


@pytest.fixture(scope="module", params=sorted(SHELLS))
def keyboard(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A shell at its prompt, with advlab's completion."""
    command, begin = SHELLS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "outputs/isotropy/digits-lenet/v001").mkdir(parents=True)
    (folder / "outputs/isotropy/digits-lenet/v001/config.yaml").write_text("")
    (folder / "my runs/v001").mkdir(parents=True)
    (folder / "begin").write_text(f"{begin}\necho ready\n")
    path = advlab_on_path(folder / ".bin")
    with terminal(command, cwd=folder, columns=200, PATH=path, PS1="> ", HOME=str(folder), TERM="vt100") as opened:
        opened.type("source ./begin\n")
        opened.until("ready\r?\n")
        yield opened


@pytest.mark.parametrize(
    ("typed", "line"),
    one_in(
        3,
        [
            ("advlab probe.radi", "advlab probe.radii="),
            ("advlab model=lenet_mnist_", "advlab model=lenet_mnist_pgd "),
            ("advlab descr", "advlab describe "),
            ("advlab describe adversarial_ga", "advlab describe adversarial_gallery "),
            ("advlab describe nope_nope", "advlab describe nope_nope"),
            ("advlab plot outputs/iso", "advlab plot outputs/isotropy/"),
            ("advlab plot outputs/isotropy/digits-lenet/v", "advlab plot outputs/isotropy/digits-lenet/v001 "),
            ("advlab plot my", "advlab plot my\\ runs/"),
            ("advlab run.seed=1 run.output_root=outp", "advlab run.seed=1 run.output_root=outputs/"),
        ],
    ),
)
def test_at_the_keyboard(typed: str, line: str, keyboard: Terminal) -> None:
    keyboard.type(f"\x15{typed}\t\x14")
    shown = keyboard.until("<(advlab[^<>]*)>")[1]
    assert shown == line
    assert "advlab: " not in keyboard.seen.replace("advlab: command", "")
