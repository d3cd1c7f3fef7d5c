"""Which of the tensors in a file of weights are the network's: wrappers are opened, a common prefix is taken away.

Training frameworks put state dicts under names of their own (`state_dict`, `model`, `net`, `state_dict_ema`), inside one
another, and prefix the names of tensors (Lightning's `model.`, DataParallel's `module.`, torch.compile's `_orig_mod.`). The
state dict that is taken is the one that fits the network exactly, whatever it is called.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from advlab.errors import ModelError, suggest
from advlab.shell import typed_override

log = logging.getLogger(__name__)

State = dict[str, Tensor]

DEEPEST = 6  # mappings inside one another
MOST_KEYS = 12  # that a message lists
AVERAGED = re.compile(r"ema|swa|averag|shadow", re.IGNORECASE)  # names of weights that were averaged over training
WRAPPERS = ("_orig_mod", "module")  # segments that torch.compile and DataParallel put into the names of tensors


@dataclass(frozen=True)
class Fit:
    """Tensors of a file that fit the network.

    Attributes:
        key: dotted path of the state dict in the file and the prefix of its names: what `model.checkpoint_key` takes.
        state: with the network's names.
        beside: names of the same state dict that do not begin with the prefix.
    """

    key: str
    state: State
    beside: tuple[str, ...]


def state_dicts(content: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, State]]:
    """Dotted path and tensors of every mapping in a file that holds tensors by name, the outermost first."""
    if not isinstance(content, Mapping) or depth > DEEPEST:
        return
    own = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if own:
        yield path, own
    for name, value in content.items():
        yield from state_dicts(value, f"{path}.{name}" if path else str(name), depth + 1)


def misfits(current: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """Which tensors of `state` are missing, unknown or of another shape than in the `current` state of the network."""
    common = sorted(current.keys() & state.keys())
    tied = {current[name].data_ptr() for name in common}  # a tied tensor lies at the same address under all its names
    optional = {name for name in current if name.endswith("num_batches_tracked") or current[name].data_ptr() in tied}
    missing = sorted(current.keys() - state.keys() - optional)
    unknown = sorted(state.keys() - current.keys())
    misshapen = [
        f"{name} is {tuple(state[name].shape)}, not {tuple(current[name].shape)}"
        for name in common
        if state[name].shape != current[name].shape
    ]
    return [
        f"{text}: {', '.join(names[:6])}{f' and {len(names) - 6} more' if len(names) > 6 else ''}"
        for text, names in (("missing", missing), ("unknown", unknown), ("of another shape", misshapen))
        if names
    ]


def readings(
    current: Mapping[str, Tensor], state: State, prepare: Callable[[State], State]
) -> Iterator[tuple[str, State, tuple[str, ...]]]:
    """Prefix, tensors without it, and the names that do not begin with it: as the file has them, then without wrappers' names.

    Args:
        current: state dict of the network.
        state: of the file.
        prepare: gives tensors the names of the network, where a publisher calls them otherwise.
    """
    names = [name for name in current if not name.endswith("num_batches_tracked")][:20]
    segments = {segment for name in current for segment in name.split(".")}
    foreign = [segment for segment in WRAPPERS if segment not in segments]
    unwrapped = {
        ".".join(part for part in name.split(".") if part not in foreign): value for name, value in state.items()
    }
    for tensors in [state] if len(unwrapped) < len(state) or unwrapped == state else [state, unwrapped]:
        prefixes = {
            name.removesuffix(wanted)
            for name in prepare(tensors)
            for wanted in names
            if name.endswith(f".{wanted}")
        }  # fmt: skip
        for prefix in ("", *sorted(prefixes, key=len)):
            inside = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            yield prefix, prepare(inside), tuple(name for name in tensors if not name.startswith(prefix))


def choose_state(
    content: Any, current: Mapping[str, Tensor], origin: str, key: str = "", prepare: Callable[[State], State] = dict
) -> State:
    """The network's tensors in the content of a file.

    Args:
        content: of the file.
        current: state dict of the network.
        origin: of the file, for messages.
        key: `model.checkpoint_key`; empty: whichever fits, the plain weights before averaged ones.
        prepare: see `readings`.

    Raises:
        ModelError: no state dict fits, or none has that key; the keys and the tensors that do not fit are named.
    """
    found = list(state_dicts(content))
    if not found:
        raise ModelError(
            f"{origin} holds no state dict{listed_keys(content)}: save one by torch.save(network.state_dict(), ...)"
        )
    fits, closest = all_fits(found, current, prepare)
    if key:
        paths = {fit.key for fit, _ in fits} | {path for path, _ in found}
        chosen = [(fit, path) for fit, path in fits if key in (fit.key, path)]
        if not chosen and key not in paths:
            raise ModelError(f"model.checkpoint_key: {origin} has no {key!r}. {suggest(key, filter(None, paths))}")
        if not chosen:
            closest = all_fits([(path, state) for path, state in found if path == key], current, prepare)[1]
        fits = chosen
    if not fits:
        raise ModelError(
            f"{origin} does not fit the network: {'; '.join(closest[1])}"
            f"{f' (of {closest[0]})' if closest[0] else ''}. Is it of another architecture or size?{listed_keys(content)}"
        )
    fits = sorted(fits, key=lambda fit: bool(AVERAGED.search(fit[0].key)))  # stable: else in the order of the file
    fit = fits[0][0]
    others = [other.key for other, _ in fits[1:] if not same_tensors(other.state, fit.state)]
    if others:
        log.warning(
            "%s holds several weights that fit: %s is taken, not %s; choose by %s",
            origin, fit.key or "the outermost", ", ".join(others), typed_override("model.checkpoint_key", others[0]),
        )  # fmt: skip
    if fit.key:
        beside = f"; beside it, and left out: {shown(fit.beside)}" if fit.beside else ""
        log.info("weights: %s of %s%s", fit.key, origin, beside)
    return fit.state


def all_fits(
    found: Sequence[tuple[str, State]], current: Mapping[str, Tensor], prepare: Callable[[State], State]
) -> tuple[list[tuple[Fit, str]], tuple[str, list[str]]]:
    """What fits, with the path of its state dict; and the path and misfits of what comes closest, by the names in common."""
    fits: list[tuple[Fit, str]] = []
    closest: tuple[str, list[str]] = ("", [])
    most = -1
    for path, state in found:
        for prefix, tensors, beside in readings(current, state, prepare):
            faults = misfits(current, tensors)
            label = ".".join(part for part in (path, prefix.strip(".")) if part)
            if not faults:
                fits.append((Fit(label, tensors, beside), path))
                if not prefix:  # all of it fits: its parts are no other weights
                    break
            elif len(current.keys() & tensors.keys()) > most:
                most, closest = len(current.keys() & tensors.keys()), (label, faults)
    unique = {fit.key: (fit, path) for fit, path in reversed(fits)}
    return list(reversed(unique.values())), closest


def same_tensors(a: State, b: State) -> bool:
    """Whether two states hold the same values under the same names."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def listed_keys(content: Any) -> str:
    """What a file holds at its top, in a clause of a message; empty where that is a state dict."""
    if not isinstance(content, Mapping) or any(isinstance(value, Tensor) for value in content.values()):
        return ""
    return f" It holds: {shown([str(name) for name in content])}" if content else " It is empty"


def shown(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - MOST_KEYS} more" if len(names) > MOST_KEYS else ""
    return ", ".join(names[:MOST_KEYS]) + more
