"""The global Lipschitz bound of a network up to a layer, composed of the Lipschitz constants of its operations."""

from __future__ import annotations

import copy
import math
import operator
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.parametrize import type_before_parametrizations

from advlab.geometry.marked_graph import MarkingTracer
from advlab.geometry.operations import AFFINE_FUNCTIONS, BILINEAR, affine_norm, function_constant, module_constant
from advlab.models.classifier import Classifier, frozen

IN_PLACE = {operator.iadd: operator.add, operator.isub: operator.sub, operator.imul: operator.mul,
            operator.itruediv: operator.truediv}  # fmt: skip
SUMS = frozenset({operator.add, operator.sub, torch.add, torch.sub, "add", "sub"})
JOINS = frozenset({torch.cat, torch.concat, torch.concatenate, torch.stack})
# They split a tensor: the squared L2 norms of the parts add up to that of the tensor, so that the constant is 1.
SPLITS = frozenset({torch.chunk, torch.split, torch.unbind, "chunk", "split", "unbind"})
CONSTANTS = frozenset({"size", "dim", "numel", "get_device", "is_floating_point"})  # do not depend on a tensor's values


class LipschitzBound(NamedTuple):
    """A global Lipschitz bound.

    Attributes:
        bound: ||Phi(x) - Phi(y)|| <= bound ||x - y|| for all x and y, L2, pixels in [0, 1]; NaN where none is known.
        reason: why it is NaN, with the name of the module; empty otherwise.
        norms: Lipschitz constant of each operation on the way, by the name of its module or of its node in the graph.
    """

    bound: float
    reason: str
    norms: dict[str, float]


Known = dict[tuple[str, tuple[int, ...]], float | None]  # (module, shape of its input) -> its constant, None: unknown


def lipschitz_bound(classifier: Classifier, layer: str = "auto", *, known: Known | None = None) -> LipschitzBound:
    """The bound of Szegedy et al. (2014, section 4.3) on Phi_L, which aghdam2017 contrasts with the local constant.

    torch.fx traces the network's graph. The bound after a layer is the bound before it times the layer's Lipschitz constant
    for the size of its input; where branches are added their bounds are added, and where they are concatenated the result is
    the root of the sum of squared bounds. An operation without a known bound (attention, the product of two activations, a
    graph that fx cannot trace) gives NaN, never a guess.

    Args:
        classifier: its normalisation counts as the first layer.
        layer: as for `Classifier.features`: a module whose output is Phi_L, or "auto" for the classification layer's
            input.
        known: constants of modules of this classifier from earlier calls, which are not computed again; those computed now
            are added. Functions in the graph are always computed.

    Examples:
        A linear map by 3, a ReLU, and the images' normalisation by a standard deviation of 1/2:

        >>> triple = nn.Linear(2, 2)
        >>> triple.weight.data = 3 * torch.eye(2)
        >>> network = nn.Sequential(nn.Flatten(), triple, nn.ReLU(), nn.Linear(2, 2))
        >>> std = torch.full((1, 1, 1), 0.5)
        >>> classifier = Classifier(network, name="triple", shape=(1, 1, 2), mean=None, std=std)
        >>> round(lipschitz_bound(classifier).bound, 4)
        6.0
    """
    if classifier.is_defended:
        return LipschitzBound(math.nan, f"{classifier.name} is behind a defense, which has no bound here", {})
    network = classifier.network
    name = classifier.head if layer == "auto" else layer
    module = dict(network.named_modules()).get(name) if name else None
    if module is None:
        return LipschitzBound(math.nan, f"{classifier.name} has no layer {name!r}", {})
    tracer = MarkingTracer(module, before=layer == "auto")
    with frozen(classifier), torch.inference_mode(False), torch.no_grad():
        try:
            graph = tracer.trace(network)
        except Exception as error:  # whatever a network does with a tensor that has no values
            return LipschitzBound(
                math.nan, f"torch.fx cannot follow {classifier.name}: {str(error).splitlines()[0]}", {}
            )
        if tracer.mark is None:
            return LipschitzBound(math.nan, f"the layer {name!r} of {classifier.name} does not give one tensor", {})
        normalisation = float(classifier.scale.double().abs().max()) if classifier.normalises else 1.0
        interpreter = _BoundInterpreter(network, graph, normalisation, tracer.mark, {} if known is None else known)
        dtype = classifier.input_dtype or classifier.scale.dtype
        interpreter.run(torch.zeros((1, *classifier.shape), device=classifier.device, dtype=dtype))
    return LipschitzBound(interpreter.bounds[tracer.mark], interpreter.reasons.get(tracer.mark, ""), interpreter.norms)


class _BoundInterpreter(fx.Interpreter):
    """Runs the graph on one image, which gives the shapes, and keeps a Lipschitz bound of every node up to the mark.

    Args:
        network: whose graph it is.
        graph: as traced by `MarkingTracer`.
        normalisation: Lipschitz constant of the normalisation before the network.
        mark: the node at which it stops.
        known: see `lipschitz_bound`.

    Attributes:
        bounds: of every node: 0 where it does not depend on the image, NaN where no bound is known.
        reasons: why a bound is NaN.
        norms: Lipschitz constant of each operation.
    """

    def __init__(self, network: nn.Module, graph: fx.Graph, normalisation: float, mark: fx.Node, known: Known) -> None:
        super().__init__(network, graph=graph)
        self.mark, self.known = mark, known
        self.normalisation = normalisation
        self.bounds: dict[fx.Node, float] = {}
        self.reasons: dict[fx.Node, str] = {}
        self.norms: dict[str, float] = {} if normalisation == 1 else {"normalisation": normalisation}

    def run_node(self, n: fx.Node) -> Any:
        """The node's value; its bound is put into `bounds`."""
        if self.mark in self.bounds:
            return None
        self._set_bound(n)
        versions = {earlier: value._version for earlier, value in self.env.items() if isinstance(value, Tensor)}
        result = super().run_node(n)
        for earlier, version in versions.items():
            if self.env[earlier]._version != version:
                self._set_bound_after_write(earlier, n, whole=self.env[earlier] is result)
        return result

    def _set_bound(self, n: fx.Node) -> None:
        """The bound of a node from those of its inputs."""
        inputs = [m for m in n.all_input_nodes if self.bounds[m] != 0]  # those that depend on the image, NaN too
        unbounded = [m for m in inputs if math.isnan(self.bounds[m])]
        if n.op == "placeholder":
            self.bounds[n] = self.normalisation
        elif not inputs:
            self.bounds[n] = 0.0
        elif unbounded:
            self.bounds[n], self.reasons[n] = math.nan, self.reasons[unbounded[0]]
        else:
            bound = self._bound(n)
            self.bounds[n] = math.nan if bound is None else bound
            if bound is None:
                self.reasons[n] = f"no Lipschitz bound is known for {self._describe(n)}"

    def _set_bound_after_write(self, earlier: fx.Node, n: fx.Node, *, whole: bool) -> None:
        """The new bound of an earlier node whose tensor the node n has written to in place, as a whole or in part."""
        self.bounds[earlier] = self.bounds[n] if whole else math.hypot(self.bounds[earlier], self.bounds[n])
        if math.isnan(self.bounds[earlier]):
            self.reasons.setdefault(earlier, self.reasons.get(n, ""))

    def _bound(self, n: fx.Node) -> float | None:
        """Bound of a node that depends on the image; None where none is known."""
        uses: list[fx.Node] = []  # inputs that depend on the image, each as often as it is used: x * x is not affine
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
        first = next(iter([*n.args, *n.kwargs.values()]), None)
        if one is None or (first is not one and (n.op == "call_module" or target not in BILINEAR)):
            return None
        if not isinstance(value, Tensor):  # the pieces of a split tensor
            return self.bounds[one] if target is operator.getitem else None
        if n.op == "call_module":
            module = self.fetch_attr(str(target))
            hooked = module._forward_hooks or module._forward_pre_hooks  # a hook may compute anything
            kind, key = type_before_parametrizations(module), (str(target), tuple(value.shape))
            if key not in self.known:
                self.known[key] = None if hooked else module_constant(copy.deepcopy(module), kind, value)
            constant = self.known[key]
        elif target in CONSTANTS or (target is getattr and n.args[1] in ("shape", "ndim", "device", "dtype")):
            return 0.0
        elif target in SPLITS:
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
        """The node's function evaluated with z in place of its input `one`, and with its constants in float64."""
        args: Any
        kwargs: Any
        args, kwargs = fx.node.map_arg((n.args, n.kwargs), lambda m: z if m is one else _double(self.env[m]))
        out: Tensor = (
            getattr(args[0], target)(*args[1:], **kwargs) if isinstance(target, str) else target(*args, **kwargs)
        )
        return out

    def _sum(self, terms: list[fx.Node]) -> float | None:
        """Bound of a + b or a - b; where one is broadcast, its norm grows by the root of the number of copies."""
        if not all(isinstance(self.env[m], Tensor) for m in terms):
            return None
        size = math.prod(torch.broadcast_shapes(*(self.env[m].shape for m in terms)))
        return sum(self.bounds[m] * math.sqrt(size / self.env[m].numel()) for m in terms)

    def _describe(self, n: fx.Node) -> str:
        """The operation in words, with the module that it belongs to."""
        if n.op == "call_module":
            return f"{n.target} ({type(self.fetch_attr(str(n.target))).__name__})"
        stack = n.meta.get("nn_module_stack") or {}
        where = next(reversed(stack), "") or "the network"
        return f"{n.name} in {where}"


def _double(value: Any) -> Any:
    """A constant of the graph in float64, in which norms are measured."""
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value
