"""Classes that no boundary points are found of: a run leaves them out, and its log, its table and its claims say so."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from advlab.errors import MeasurementError
from advlab.lab import Frame, NetworkContext
from advlab.statistics import Claim
from advlab.store.artifacts import ArtifactStore

from .curvature_params import CurvatureParams, stage_id

log = logging.getLogger(__name__)
BLANK: dict[str, Any] = {"int": 0, "float": math.nan, "bool": False, "str": ""}  # by the type of a column
#: cache of a run, of which each run has its own object -> the classes that the run's log has named in this process
NAMED: WeakKeyDictionary[ArtifactStore, set[int]] = WeakKeyDictionary()


def classes_with_points(ctx: NetworkContext, params: CurvatureParams, targets: Sequence[int]) -> list[int]:
    """Those of some classes that have boundary points; the others are named in the log, once a run.

    Args:
        ctx: of a cell that names `stage_id(target)` of all of them among its stages.
        params: of the experiment.
        targets: the classes.

    Raises:
        MeasurementError: there is none.
    """
    found = [target for target in targets if has_points(ctx, target)]
    if not found:
        raise MeasurementError(nowhere(str(ctx.stage(stage_id(targets[0])).facts["missing"]), params))
    return found


def has_points(ctx: NetworkContext, target: int) -> bool:
    """Whether a class has boundary points, of which its curvature basis is made; if not, the log says so once a run."""
    facts = ctx.stage(stage_id(target)).facts
    named = NAMED.setdefault(ctx.artifacts, set())
    if not facts["points"] and target not in named:
        named.add(target)
        log.warning("class %s is left out: %s", ctx.data.class_name(target), facts["missing"])
    return bool(facts["points"])


def nowhere(reason: str, params: CurvatureParams) -> str:
    """The message where no class has boundary points."""
    other = ", or experiment.basis=deepfool, which needs none" if hasattr(params, "basis_images") else ""
    return (
        f"no class has the two boundary points that its curvature needs ({reason}): check the network, or type a larger "
        f"experiment.iterations{other}"
    )


def names_of_others(ctx: NetworkContext, found: Sequence[int], targets: Sequence[int]) -> str:
    """The names of the classes without boundary points, as the column `without` holds them; empty: there is none."""
    return ", ".join(ctx.data.class_name(target) for target in targets if target not in found)


def row_without_points(row_type: type, **known: Any) -> Any:
    """The only row of a class without boundary points: `missing`, what is known of it, and nothing in the other columns."""
    blank = {column.name: BLANK[str(column.type)] for column in dataclasses.fields(row_type)}
    return row_type(**{**blank, "missing": True, **known})


def with_points(table: Frame) -> Frame:
    """The rows of classes with boundary points, of a table with a column `missing`; of older ones, all."""
    return table[~table["missing"].astype(bool)] if "missing" in table else table


def missing_names(table: Frame, params: CurvatureParams) -> str:
    """The names of the classes that one run's table has no points of.

    Raises:
        MeasurementError: there are others neither.
    """
    missing = table[table["missing"].astype(bool)] if "missing" in table else table[:0]
    if not len(missing):
        return ""
    if len(missing) == len(table):
        raise MeasurementError(nowhere("the log says why of each", params))
    return ", ".join(missing["target_name"].astype(str))


def of_known_classes(claims: Sequence[Claim], table: Frame) -> list[Claim]:
    """The claims of one run whose rows say in `classes` and `without` which classes they rest on."""
    if not len(table) or "without" not in table:
        return list(claims)
    first = table.iloc[0]
    return without(claims, str(first["without"]) if first["without"] == first["without"] else "", int(first["classes"]))


def without(
    claims: Sequence[Claim], names: str, classes: int, concerns: Callable[[Claim], bool] = lambda claim: True
) -> list[Claim]:
    """The claims, of which those that are about all classes say of how many they are, where some have no boundary points.

    Args:
        claims: of a run.
        names: of the classes that are left out; empty: the claims stay as they are.
        classes: how many there are but for them.
        concerns: whether a claim is about all classes.
    """
    if not names:
        return list(claims)
    note = f" ({classes} class{'es' if classes > 1 else ''}; without boundary points: {names})"
    return [dataclasses.replace(c, quantity=c.quantity + note) if concerns(c) else c for c in claims]
