"""Generates wrong command lines of twelve kinds: what is typed, the files that it needs, and what its message must say.

Longer than other files: the kinds that need no files of their own stand side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_origin

from advlab.config import components
from advlab.config.choices import group_choices
from advlab.config.ranges import choices_of, range_text
from advlab.config.run_options import RunParams
from advlab.config.schema import parameters
from tests.helpers.late_faults import ATTACK_RETURNS, LOADER_RETURNS, NETWORK, REFUSALS, attack, loader, measure
from tests.helpers.plugins import BLOBS
from tests.helpers.wrong_files import checkpoint_lines, config_folder_lines, data_lines


@dataclass(frozen=True)
class WrongLine:
    """A line with a fault.

    Attributes:
        kind: of the fault.
        arguments: the line.
        words: of the message: the wrong word first, then what is expected.
        files: path -> content, of what must lie in the working folder.
    """

    kind: str
    arguments: tuple[str, ...]
    words: tuple[str, ...]
    files: dict[str, str | bytes] = field(default_factory=dict)


def wrong_lines() -> list[WrongLine]:
    """All of them, kind after kind."""
    makers = {
        "unknown choice": unknown_choices, "unknown key": unknown_keys, "type": types, "range": ranges,
        "injection": injections, "verb": verbs, "syntax": syntax,
    }  # fmt: skip
    with_files = {
        "plug-in at load": plugins_at_load, "config folder": config_folder_lines, "data": data_lines,
        "checkpoint": checkpoint_lines,
    }  # fmt: skip
    lines = [WrongLine(kind, *line) for kind, maker in makers.items() for line in maker()]
    lines += [WrongLine(kind, *line) for kind, maker_of_files in with_files.items() for line in maker_of_files()]
    return [*lines, *plugins_that_fail_late()]


TextLine = tuple[tuple[str, ...], tuple[str, ...]]


def misspelt(name: str) -> str:
    """A name with two letters exchanged in its midst.

    >>> misspelt("lenet"), misspelt("fgs")
    ('leent', 'fsg')
    """
    middle = next(i for i in range(max(1, len(name) // 2 - 1), len(name)) if name[i : i + 1] != name[i + 1 : i + 2])
    return name[:middle] + name[middle + 1 : middle + 2] + name[middle] + name[middle + 2 :]


def unknown_choices() -> Iterator[TextLine]:
    """Two of each group."""
    for group in ("dataset", "model", "recipe", "defense", "attack", "probe", "experiment"):
        choices = [name for name in group_choices(group) if name != "none" and len(name) > 3]
        for name in dict.fromkeys((choices[0], choices[-1])):
            yield (f"{group}={misspelt(name)}",), (f"there is no {group} {misspelt(name)!r}", name)


def unknown_keys() -> Iterator[TextLine]:
    """The first and the last key of some components, misspelt."""
    for group, choice in (("model", "lenet"), ("probe", "sphere"), ("recipe", "lenet_digits"), ("dataset", "digits")):
        name = "recipe" if group == "recipe" else choice
        keys = [key for key in parameters(components.REGISTRIES[group].load(name)) if len(key) > 3]
        for key in (keys[0], keys[-1]):
            yield (f"{group}={choice}", f"{group}.{misspelt(key)}=1"), (f"{group}.{misspelt(key)}", key)
    for key in ("seed", "precision", "output_root"):
        yield (f"run.{misspelt(key)}=1",), (f"run.{misspelt(key)}: there is no such key", key)


def types() -> Iterator[TextLine]:
    """A word, a list and a mapping where a number, true or false, or a text belongs."""
    words = {int: "a whole number", bool: "true or false", str: "text"}
    for key, parameter in parameters(RunParams).items():
        wanted = words.get(getattr(parameter.annotation, "__origin__", parameter.annotation))
        if wanted is not None and not key.endswith("_root"):  # whose values are taken as they stand
            value, shown = ("{a:1}", "{'a': 1}") if wanted == "text" else ("[several]", "['several']")
            yield (f"run.{key}={value}",), (f"run.{key}: expected {wanted}", shown)
    yield ("probe.trials=several",), ("probe.trials: expected a whole number", "'several'")
    yield ("probe.clip=several",), ("probe.clip: expected true or false", "'several'")
    yield ("recipe.epochs=[1]",), ("recipe.epochs: expected a whole number", "[1]")
    yield ("experiment.floor_factor=several",), ("experiment.floor_factor: expected a number", "'several'")


def ranges() -> Iterator[TextLine]:
    """Numbers beside the range that an annotation states, and words that are none of its choices."""
    for group, choice in (("probe", "sphere"), ("attack", "pgd"), ("recipe", "recipe"), ("attack", "deepfool")):
        for key, parameter in parameters(components.REGISTRIES[group].load(choice)).items():
            text = range_text(parameter.annotation)
            if choices_of(parameter.annotation):
                yield with_use(group, choice, f"{group}.{key}=nonsense"), (f"{group}.{key}", "'nonsense' is no choice")
            elif get_origin(parameter.annotation) is not dict and text.startswith(("from", "at least", "above")):
                yield with_use(group, choice, f"{group}.{key}=-7"), (f"{key} must be {text}", "-7")
    yield (
        ("experiment=attack_survey", "attack=lbfgs", "attack.initial=1e308"),
        ("initial must be at most 3.4e+38", "1e+308"),
    )
    yield ("experiment=isotropy", "experiment.floor_factor=1e300"), ("floor_factor must be at most 3.4e+38", "1e+300")
    yield ("run.accuracy_images=9223372036854775808",), ("accuracy_images must be at most 9223372036854775807",)
    yield ("run.batch_size=99999999999",), ("batch_size must be from 0 to 2147483648, got 99999999999",)
    yield (f"run.seed={'9' * 5000}",), ("run.seed: a number of 5000 digits is out of every range",)


def with_use(group: str, choice: str, override: str) -> tuple[str, ...]:
    """A line that uses a component and overrides one of its keys."""
    if group == "attack":
        return ("experiment=attack_survey", f"attack={choice}", override)
    return (override,) if group == "recipe" else (f"{group}={choice}", override)


def injections() -> Iterator[TextLine]:
    """What would run code or write elsewhere, if anything believed it."""
    for target in ("os.system", "builtins.eval", "subprocess.run"):
        yield ("-m", f"hydra.launcher._target_={target}"), (target, "Leave it out")
        yield ("-m", f"hydra.sweeper._target_={target}"), (target, "Leave it out")
        yield (f"+hydra.callbacks.x._target_={target}",), ("hydra.callbacks", "not configurable")
        yield (f"+model._target_={target}",), ("model._target_: there is no such key",)
    for key in ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.output_subdir"):
        yield (f"{key}=/tmp/elsewhere",), (key, "not configurable")
    yield ("model.checkpoint=${oc.env:NOT_THERE}",), ("model.checkpoint", "NOT_THERE", "Write the value itself")
    yield ("model.name=os.system",), ("there is no model 'os.system'",)
    yield ("experiment.name=../../evil",), ("there is no experiment '../../evil'",)


def plugins_at_load() -> Iterator[tuple[tuple[str, ...], tuple[str, ...], dict[str, str | bytes]]]:
    """Files that end in every way that Python knows."""
    bodies = {
        "raise SystemExit": "SystemExit (",
        "raise SystemExit(0)": "SystemExit: 0",
        "raise GeneratorExit": "GeneratorExit (",
        "class Stop(KeyboardInterrupt): pass\nraise Stop('now')": "Stop: now",
        "class Odd(BaseException): pass\nraise Odd": "Odd (",
        "raise ValueError('two\\nlines')": "ValueError: two lines",
        "raise ValueError('lone \\udcff surrogate')": "ValueError: lone ",
        "1 / 0": "ZeroDivisionError: division by zero",
        "import not_there": "No module named 'not_there'",
        "def f(:": "SyntaxError: ",
        "class E(Exception):\n    def __str__(self): return 3\nraise E": "failed: E (",
        "import advlab\nadvlab.attack('x')(3)": "TypeError",
    }
    for body, fault in bodies.items():
        yield ("--plugin", "broken.py", "list"), ("broken.py failed: ", fault, "mend it"), {"broken.py": body}
    yield ("--plugin", "broken.py", "list"), ("broken.py failed: ", "null bytes"), {"broken.py": b"x = '\0'"}
    yield ("--plugin", "absent.py", "list"), ("absent.py does not exist", "takes a Python file"), {}


def verbs() -> Iterator[TextLine]:
    """Commands that are none, and commands with arguments that are none."""
    for verb in ("list", "describe", "claims", "compare", "plot", "report", "resume"):
        yield (misspelt(verb),), (f"there is no command {misspelt(verb)!r}", verb)
        yield (verb, "--nope"), ("--nope" if verb == "list" else f"advlab {verb}", f"usage: advlab {verb}")
    yield ("claims", "outputs/nothing"), ("'outputs/nothing' is no folder", "such as outputs")
    yield ("report", "outputs/nothing"), ("'outputs/nothing' is no folder", "such as outputs")
    for verb in ("compare", "plot", "resume"):
        yield (verb, "outputs/nothing"), ("outputs/nothing is no run directory",)
        yield (verb, "/dev/null"), ("/dev/null is no run directory",)
    yield ("resume", "a\nb \x1b[2J"), ("a\\nb \\x1b[2J is no run directory",)
    yield ("run",), ("'run' has no value: type run.KEY=VALUE",)
    yield ("describe", "leent"), ("nothing is called 'leent'", "lenet")
    yield ("list", "atacks"), ("there is no family 'atacks'", "attacks")


def syntax() -> Iterator[TextLine]:
    """Right overrides with a sign too few or too many."""
    for right in ("probe.radii=[1,2]", "model='lenet'", "defense=[blur,noise]"):
        yield (right[:-1],), (repr(right[:-1])[1:-1].replace("\\'", "'"), "close its brackets and quotation marks")
    for key in ("model", "probe.radii", "run.seed"):
        yield (f"{key}==1",), (f"'{key}==1'", f"type one =, as in {key}=1")
        yield (f"{key} =1",), (f"'{key} =1'", "leave out the spaces")
        yield (key,), (f"'{key}' has no value" if key == "model" or "." in key else key, f"type {key}=")
    for key in ("model.", ".model", "model..hidden", "a b"):
        yield (f"{key}=1",), (f"'{key}=1' is no override", f"{key!r} is no key: type GROUP=NAME or GROUP.KEY=VALUE")
    yield ("probe.radii[0]=1",), ("'probe.radii[0]=1'", "type probe.radii=[...]")
    yield ("+defense=[blur,noise]",), ("'+defense=[blur,noise]'", "type defense=[blur,noise]")
    yield (
        ("experiment=adversarial_gallery", "experiment.attacks=[]"),
        ("experiment.attacks=[] names no attack", "[fgs,fgv,hc1]"),
    )
    yield (
        ("experiment=adversarial_gallery", "experiment.attacks="),
        ("experiment.attacks names nothing", "[NAME,...]", "fgs"),
    )
    points = ("-m", "experiment=hard_points")
    for empty in ("run.seed=range(0,0)", "run.seed=range(3,0)", "experiment=glob(zzz*)"):
        yield (*points[:1], empty), (f"{empty} names no value: type the values",)
    for endless in ("range(0,1e9)", "range(0,1000000000)", "range(0,1,0)", "range(0.0,1.0,0)", "range(0,inf)"):
        yield (*points, f"run.seed={endless}"), (f"run.seed={endless}: a sweep has at most 10,000 jobs",)
    yield (
        (*points, "run.seed=range(0,200)", "run.preset=" + "tiny," * 99 + "tiny"),
        ("a sweep has at most 10,000 jobs",),
    )
    yield (*points, "hydra.sweeper.max_batch_size=-1"), ("hydra.sweeper.max_batch_size must be at least 1, got -1",)
    for text in ("+hydra.launcher.x=1", "++hydra.launcher.x=1", "hydra/launcher=basic"):
        yield ("experiment=hard_points", text), (f"{text}: a launcher carries out sweeps: add -m, or leave it out",)
    yield ("run.seed=" + "[" * 200 + "1" + "]" * 200,), ("run.seed: the value is nested too deeply",)


def plugins_that_fail_late() -> Iterator[WrongLine]:
    """Attacks and loaders that return what is of no use, and experiments that refuse what was typed."""
    kind = "plug-in that fails late"
    short = ("model=tiny_net", "run.preset=tiny", "run.batch_size=8", "run.device=cpu")
    survey = ("--plugin", "late.py", "experiment=attack_survey", "attack=late", "experiment.samples=8", *short)
    for returned, got in list(ATTACK_RETURNS.items())[::2]:
        words = ("attack=late: the attack late must return images of ", "it returned ", got)
        yield WrongLine(kind, survey, words, {"late.py": NETWORK + BLOBS + attack(returned)})
    for returned, told in list(LOADER_RETURNS.items())[::2]:
        yield WrongLine(
            kind, ("--plugin", "late.py", *short), ("blobs: ", *told), {"late.py": NETWORK + loader(returned)}
        )
    for body, told in REFUSALS.items():
        text = "import advlab\n" + measure(body)
        yield WrongLine(kind, ("--plugin", "late.py", "experiment=squares"), tuple(told), {"late.py": text})
