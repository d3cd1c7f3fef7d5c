"""The global Lipschitz bound of a network up to a layer: products, sums and roots of sums of its layers' norms."""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.parametrize import type_before_parametrizations

from advlab.geometry.operations import AFFINE_FUNCTIONS, BILINEAR, affine_norm, function_constant, module_constant
from advlab.models.classifier import Classifier, frozen

IN_PLACE = {operator.iadd: operator.add, operator.isub: operator.sub, operator.imul: operator.mul,
            operator.itruediv: operator.truediv}  # fmt: skip
SUMS = frozenset({operator.add, operator.sub, torch.add, torch.sub, "add", "sub"})
JOINS = frozenset({torch.cat, torch.concat, torch.concatenate, torch.stack})
PIECES = frozenset(
    {torch.chunk, torch.split, torch.unbind, "chunk", "split", "unbind"}
)  # together as long as the whole
FACTS = frozenset({"size", "dim", "numel", "get_device", "is_floating_point"})  # of a tensor, whatever its values are


class Lipschitz(NamedTuple):
    """A global Lipschitz bound.

    Attributes:
        bound: ||Phi(x) - Phi(y)|| <= bound ||x - y|| for all x and y, L2, pixels in [0, 1]; NaN where none is known.
        reason: why it is NaN, with the name of the module; empty otherwise.
        norms: constant of each operation that was met, by the name of its module or of its node in the graph.
    """

    bound: float
    reason: str
    norms: dict[str, float]


Known = dict[tuple[str, tuple[int, ...]], float | None]  # (module, shape of its input) -> its constant


def lipschitz_bound(classifier: Classifier, layer: str = "auto", *, known: Known | None = None) -> Lipschitz:
    """The bound of Szegedy et al. (2014, section 4.3) on Phi_L, which aghdam2017 contrasts with the local constant.

    The network's graph is followed by torch.fx. A layer multiplies by its operator norm at the size of its input; the
    bounds of branches add where the branches do, and add in squares where they are concatenated. What is not known to
    have a bound (attention, the product of two activations, a graph that fx cannot trace) gives NaN, never a guess.

    Args:
        classifier: its normalisation counts as the first layer.
        layer: as for `Classifier.features`: a module whose output is Phi_L, or "auto" for the classification layer's
            input.
        known: constants of modules of this classifier, which are not computed again; what is, is added. Functions in the
            graph are always computed.
    """
    network = classifier.network
    name = classifier.head if layer == "auto" else layer
    module = dict(network.named_modules()).get(name) if name else None
    if module is None:
        return Lipschitz(math.nan, f"{classifier.name} has no layer {name!r}", {})
    tracer = _Tracer(module, before=layer == "auto")
    with frozen(classifier), torch.inference_mode(False), torch.no_grad():
        try:
            graph = tracer.trace(network)
        except Exception as error:  # whatever a network does with a tensor that has no values
            return Lipschitz(math.nan, f"torch.fx cannot follow {classifier.name}: {str(error).splitlines()[0]}", {})
        if tracer.mark is None:
            return Lipschitz(math.nan, f"the layer {name!r} of {classifier.name} does not give one tensor", {})
        first = float(classifier.scale.double().abs().max()) if classifier.normalises else 1.0
        follower = _Follower(network, graph, first, tracer.mark, {} if known is None else known)
        follower.run(torch.zeros((1, *classifier.shape), device=classifier.device, dtype=classifier.scale.dtype))
    return Lipschitz(follower.bounds[tracer.mark], follower.reasons.get(tracer.mark, ""), follower.norms)


class _Tracer(fx.Tracer):
    """Marks Phi_L by a copy of the input or output of one module: of its last use, as it is at that moment."""

    def __init__(self, module: nn.Module, *, before: bool) -> None:
        super().__init__()
        self.module, self.before = module, before
        self.mark: fx.Node | None = None

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """As fx does, with the mark."""
        if m is self.module and self.before:
            self._set(args[0] if args else None)
        out = super().call_module(m, forward, args, kwargs)
        if m is self.module and not self.before:
            self._set(out)
        return out

    def _set(self, value: Any) -> None:
        found = isinstance(value, fx.Proxy)
        self.mark = self.create_proxy("call_method", "clone", (value,), {}).node if found else None


class _Follower(fx.Interpreter):
    """Runs the graph on one image for the shapes, and keeps a Lipschitz bound of every node; stops at the mark."""

    def __init__(self, network: nn.Module, graph: fx.Graph, first: float, mark: fx.Node, known: Known) -> None:
        super().__init__(network, graph=graph)
        self.mark, self.known = mark, known
        self.first = first
        self.bounds: dict[fx.Node, float] = {}
        self.reasons: dict[fx.Node, str] = {}
        self.norms: dict[str, float] = {} if first == 1 else {"normalisation": first}

    def run_node(self, n: fx.Node) -> Any:
        """The node's value; its bound goes to `bounds`."""
        if self.mark in self.bounds:
            return None
        inputs = [m for m in n.all_input_nodes if self.bounds[m] != 0]  # NaN too; 0: constants
        lost = [m for m in inputs if math.isnan(self.bounds[m])]
        if n.op == "placeholder":
            self.bounds[n] = self.first
        elif not inputs:
            self.bounds[n] = 0.0
        elif lost:
            self.bounds[n], self.reasons[n] = math.nan, self.reasons[lost[0]]
        else:
            bound = self._bound(n)
            self.bounds[n] = math.nan if bound is None else bound
            if bound is None:
                self.reasons[n] = f"no Lipschitz bound is known for {self._describe(n)}"
        versions = {m: v._version for m, v in self.env.items() if isinstance(v, Tensor)}
        value = super().run_node(n)
        for m, version in versions.items():
            if self.env[m]._version != version:  # written in place: all of it, or perhaps a part
                same = self.env[m] is value
                self.bounds[m] = self.bounds[n] if same else math.hypot(self.bounds[m], self.bounds[n])
                if math.isnan(self.bounds[m]):
                    self.reasons.setdefault(m, self.reasons.get(n, ""))
        return value

    def _bound(self, n: fx.Node) -> float | None:
        """Bound of a node that depends on the input; None where none is known."""
        uses: list[fx.Node] = []  # each as often as it is used: x * x is not affine
        fx.node.map_arg((n.args, n.kwargs), lambda m: uses.append(m) if self.bounds[m] != 0 else None)
        target: Any = IN_PLACE.get(n.target, n.target) if callable(n.target) else n.target
        if n.op == "call_method" and target.endswith("_") and not target.endswith("__"):
            target = target[:-1]
        if n is self.mark and uses:
            return self.bounds[uses[0]]
        if n.op != "call_module" and target in JOINS:
            return math.hypot(*(self.bounds[m] for m in uses))
        if n.op != "call_module" and target in SUMS and len(uses) == 2 and not n.kwargs:
            return self._sum(uses)
        (one,) = uses if len(uses) == 1 else (None,)
        value = None if one is None else self.env[one]
        if one is None or (n.args[0] is not one and (n.op == "call_module" or target not in BILINEAR)):
            return None
        if not isinstance(value, Tensor):  # the pieces of a tensor
            return self.bounds[one] if target is operator.getitem else None
        if n.op == "call_module":
            module = self.fetch_attr(str(target))
            hooked = module._forward_hooks or module._forward_pre_hooks  # they may do anything
            kind, key = type_before_parametrizations(module), (str(target), tuple(value.shape))
            if key not in self.known:
                self.known[key] = None if hooked else module_constant(copy.deepcopy(module), kind, value)
            constant = self.known[key]
        elif target in FACTS or (target is getattr and n.args[1] in ("shape", "ndim", "device", "dtype")):
            return 0.0
        elif target in PIECES:
            return self.bounds[one]
        elif target in AFFINE_FUNCTIONS | BILINEAR:
            constant = affine_norm(lambda z: self._call(n, target, one, z), value)
        else:
            constant = function_constant(target, *self.fetch_args_kwargs_from_env(n), value)
        if constant is None:
            return None
        self.norms[str(n.target) if n.op == "call_module" else n.name] = constant
        return self.bounds[one] * constant

    def _call(self, n: fx.Node, target: Any, one: fx.Node, z: Tensor) -> Tensor:
        """The node's function of z in the place of one of its inputs, with its constants in float64."""
        args: Any
        kwargs: Any
        args, kwargs = fx.node.map_arg((n.args, n.kwargs), lambda m: z if m is one else _double(self.env[m]))
        out: Tensor = (
            getattr(args[0], target)(*args[1:], **kwargs) if isinstance(target, str) else target(*args, **kwargs)
        )
        return out

    def _sum(self, terms: list[fx.Node]) -> float | None:
        """a + b or a - b, one of which may be repeated along the other."""
        if not all(isinstance(self.env[m], Tensor) for m in terms):
            return None
        size = math.prod(torch.broadcast_shapes(*(self.env[m].shape for m in terms)))
        return sum(self.bounds[m] * math.sqrt(size / self.env[m].numel()) for m in terms)

    def _describe(self, n: fx.Node) -> str:
        """An operation, and the module that it is in."""
        if n.op == "call_module":
            return f"{n.target} ({type(self.fetch_attr(str(n.target))).__name__})"
        stack = n.meta.get("nn_module_stack") or {}
        where = next(reversed(stack), "") or "the network"
        return f"{n.name} in {where}"


def _double(value: Any) -> Any:
    """Constants in the precision of the measurement."""
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value
