"""Traces a network's graph by torch.fx, with a mark where the features Phi_L of one of its modules are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import fx, nn


class MarkingTracer(fx.Tracer):
    """Marks Phi_L in the graph by a node that copies the input or output of one module, at the module's last use.

    The copy keeps Phi_L as it is at that moment: later operations may change it in place.

    Args:
        module: of the network that is traced.
        before: mark the module's first input instead of its output.

    Attributes:
        mark: the node of Phi_L; None where the module is not used or Phi_L is not one tensor.

    Examples:
        >>> network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(inplace=True))
        >>> tracer = MarkingTracer(network[0], before=False)
        >>> [node.name for node in tracer.trace(network).nodes], tracer.mark.name
        (['input_1', '_0', 'clone', '_1', 'output'], 'clone')
    """

    def __init__(self, module: nn.Module, *, before: bool) -> None:
        super().__init__()
        self.module, self.before = module, before
        self.mark: fx.Node | None = None

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Records the call as fx does, and marks Phi_L before or after it."""
        if m is self.module and self.before:
            self._set(next(iter([*args, *kwargs.values()]), None))
        out = super().call_module(m, forward, args, kwargs)
        if m is self.module and not self.before:
            self._set(out)
        return out

    def _set(self, value: Any) -> None:
        is_tensor = isinstance(value, fx.Proxy)
        self.mark = self.create_proxy("call_method", "clone", (value,), {}).node if is_tensor else None
