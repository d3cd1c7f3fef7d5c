"""`python -m advlab.models.only_tensors FILE [OUT]`: the tensors of a file that holds more, without running what it holds.

torch.load(weights_only=True) refuses classes that it does not know, such as argparse.Namespace or numpy's scalars beside the
weights. Here each of them is replaced by a stand-in, a dict that does nothing but keep its state: nothing of the file's is
imported or called, and torch's restricted unpickler reads all else.
"""

from __future__ import annotations

import re
import sys
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

UNKNOWN = "Unsupported global: GLOBAL "
MOST_CLASSES = 200


class StandIn(dict[Any, Any]):
    """Stands for an object of a class that is not loaded, and keeps the state that it was saved with if that is a mapping."""

    def __new__(cls, *_: Any, **__: Any) -> StandIn:
        """An empty one, whatever the class was called with."""
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        """Keep what a pickle sets."""
        if isinstance(state, Mapping):
            self.update(state)


def read_with_stand_ins(path: Path) -> Any:
    """The content of a file that torch.save wrote, with a `StandIn` for every object that is not torch's own.

    Raises:
        pickle.UnpicklingError: the file holds what even so is not read.
    """
    stand_ins: dict[str, type] = {}
    while True:
        try:
            with torch.serialization.safe_globals([(stand_in, name) for name, stand_in in stand_ins.items()]):
                return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            if len(stand_ins) >= MOST_CLASSES or not _add_stand_in(stand_ins, str(error)):
                raise


def _add_stand_in(stand_ins: dict[str, type], message: str) -> bool:
    """Add what the message of torch's unpickler asks for, in place; whether there is anything."""
    name = message.partition(UNKNOWN)[2].partition(" was not an allowed global")[0]
    if name:  # torch writes the names of builtins without their module
        for known in [name] if "." in name else [f"builtins.{name}", f"__builtin__.{name}"]:
            stand_ins[known] = type(f"StandIn{len(stand_ins)}", (StandIn,), {})
        return True
    container = OrderedDict if "Can only SETITEM" in message else list if "append" in message else None
    filled = re.search(r"got <class '[\w.]*\.(StandIn\d+)'>", message)
    if container is None or filled is None:
        return False
    for known, stand_in in stand_ins.items():  # a class that derives from dict or list, which the unpickler fills
        if stand_in.__name__ == filled[1]:
            stand_ins[known] = container
    return True


def only_tensors(content: Any) -> dict[str, Any]:
    """The tensors of nested mappings, in mappings; a pickled network becomes its state dict."""
    if "_parameters" in content and "_modules" in content:
        return module_state(content)
    kept: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Tensor):
            kept[str(key)] = value.detach()
        elif isinstance(value, Mapping) and (inner := only_tensors(value)):
            kept[str(key)] = inner
    return kept


def module_state(module: Mapping[str, Any]) -> dict[str, Any]:
    """The state dict of a `torch.nn.Module`, from the attributes that it was pickled with."""
    own: dict[str, Any] = {**module["_parameters"], **module.get("_buffers", {})}
    state: dict[str, Any] = {name: value.detach() for name, value in own.items() if isinstance(value, Tensor)}
    for name, child in module["_modules"].items():
        if isinstance(child, Mapping):
            state |= {f"{name}.{key}": value for key, value in only_tensors(child).items()}
    return state


def reason(path: Path, error: Exception) -> str:
    """Why a file was not read, in one line; torch's own first line recommends unsafe loading."""
    if not path.stat().st_size:
        return "it is empty"
    if isinstance(error, KeyError):  # the first byte of what is no pickle
        return "it is no file of torch.save"
    telling = str(error).rpartition("WeightsUnpickler error:")[2]
    lines = [line.strip() for line in telling.splitlines() if line.strip() and "`weights_only`" not in line]
    return (lines[0] if lines else type(error).__name__).split(". Please use")[0].rstrip(".")


def output_path(path: Path) -> Path:
    """Where the tensors of a file are written unless another name is given."""
    return path.with_name(f"{path.stem}-tensors.pt")


def main(arguments: list[str]) -> int:
    """Write the tensors of the first file into the second; gives the exit code."""
    if len(arguments) not in (1, 2):
        print("usage: python -m advlab.models.only_tensors FILE [OUT]", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    if not path.is_file():
        print(f"{path} does not exist", file=sys.stderr)
        return 2
    out = Path(arguments[1]) if len(arguments) == 2 else output_path(path)
    try:
        content = read_with_stand_ins(path)
        tensors = only_tensors(content) if isinstance(content, Mapping) else {}
        if not tensors:
            print(f"{path} holds no tensors by name", file=sys.stderr)
            return 2
        torch.save(tensors, out)
    except Exception as error:  # torch raises many classes for a file that it does not read
        print(f"{path} is not read: {reason(path, error)}", file=sys.stderr)
        return 2
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
