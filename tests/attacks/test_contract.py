"""One suite for every attack: closed forms on linear networks, and what must not change the result."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from advlab.attacks import zoo
from advlab.attacks.attack import AttackResult, Outcome
from advlab.attacks.problem import Problem, lengths, margin
from advlab.attacks.status import Status
from advlab.components import ATTACKS
from advlab.schema import construct

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "attack"
SHAPES = [(1, 7, 5), (3, 8, 8), (2, 5, 9)]
CLASSES = 4


@dataclass(frozen=True)
class Case:
    """One attack with some of its hyperparameters, and what the suite must know of it beside its traits.

    Attributes:
        best: norm in which its direction is the shortest on two opposite logits, where it is not `norm_name`.
        nearest: also the shortest among several linear boundaries.
        draws: random numbers from the image's bytes, so that another precision or pixel unit draws others.
        confined: takes a basis.
    """

    attack: zoo.Attack
    targeted: bool = False
    best: str = ""
    nearest: bool = False
    draws: bool = False
    confined: bool = False


@dataclass
class Setting:
    """A network with images, mostly eligible; the last of several has a wrong label."""

    model: nn.Module
    x: Tensor
    y: Tensor
    extra: dict[str, Any] = field(default_factory=dict)

    def run(self, attack: zoo.Attack, rows: Any = slice(None), **options: Any) -> AttackResult:
        extra = {k: v[rows] if k == "targets" else v for k, v in self.extra.items()}
        return attack(self.model, self.x[rows], self.y[rows], **extra, **options)


CASES: dict[str, list[Case]] = {
    "fgs": [
        Case(zoo.FGS()),
        Case(zoo.FGS(), targeted=True),
        Case(zoo.FGS(exhaustive=True, bisections=0)),
        Case(zoo.FGS(discrete=True)),
        Case(zoo.FGS(epsilon=0.15)),
    ],
    "fgv": [
        Case(zoo.FGV(), best="l2"),
        Case(zoo.FGV(), best="l2", targeted=True),
        Case(zoo.FGV(epsilon=0.3), best="weight"),
    ],
    "hot_cold": [
        Case(zoo.HotCold(), best="l2"),
        Case(zoo.HotCold(), best="l2", targeted=True),
        Case(zoo.HotCold(hot=0), best="l2"),
        Case(zoo.HotCold(reach=True), best="l2", targeted=True),
    ],
    "saliency": [Case(zoo.Saliency(), best="l2"), Case(zoo.Saliency(), best="l2", targeted=True)],
    "noise": [
        Case(zoo.Noise(epsilon=0.5), draws=True),
        Case(zoo.Noise(norm="linf", epsilon=0.2, trials=3), draws=True, targeted=True),
    ],
    "deepfool": [
        Case(zoo.DeepFool(), nearest=True),
        Case(zoo.DeepFool(), targeted=True),
        Case(zoo.DeepFool(norm="linf"), nearest=True),
        Case(zoo.DeepFool(flavour="matlab"), nearest=True),
        Case(zoo.DeepFool(exact=True), nearest=True),
        Case(zoo.DeepFool(clip="end"), nearest=True),
        Case(zoo.DeepFool(clip="none"), nearest=True, confined=True),
        Case(zoo.DeepFool(clip="none", flavour="matlab"), targeted=True, confined=True),
        Case(zoo.DeepFool(refine=True), nearest=True),
        Case(zoo.DeepFool(refine=True), targeted=True),
    ],
    "uap": [
        Case(zoo.UAP(epsilon=0.15, passes=2)),
        Case(zoo.UAP(norm="l2", epsilon=1.0, passes=2)),
        Case(zoo.UAP(mode="minibatch", images=3, epsilon=0.15, passes=2)),
    ],
    "lbfgs": [Case(zoo.LBFGS(searches=5, max_iter=15)), Case(zoo.LBFGS(searches=5, max_iter=15), targeted=True)],
    "pgd": [
        Case(zoo.PGD(random_start=False, epsilon=0.1, steps=20)),
        Case(zoo.PGD(epsilon=0.1, steps=20, restarts=2), draws=True),
        Case(zoo.PGD(norm="l2", epsilon=0.5, loss="margin"), targeted=True, draws=True),
    ],
    "fooling": [Case(zoo.Fooling(level=0.9, max_iter=200, early=30.0, late=100.0), targeted=True)],
    "library": [
        Case(zoo.Library(attack="L2DeepFoolAttack")),
        Case(zoo.Library(attack="LinfFastGradientAttack", norm="linf", epsilon=0.15)),
    ],
}


def ids(case: Case) -> str:
    fields = [f for f in dataclasses.fields(case.attack) if f.name != "options"]
    changed = [f"{f.name}={getattr(case.attack, f.name)}" for f in fields if getattr(case.attack, f.name) != f.default]
    return "-".join([case.attack.label, *changed, *(["targeted"] if case.targeted else [])])


ALL = [case for cases in CASES.values() for case in cases]
every = pytest.mark.parametrize("case", ALL, ids=ids)
one_by_one = pytest.mark.parametrize("case", [c for c in ALL if not c.attack.set_level], ids=ids)


@pytest.fixture(autouse=True)
def _peers(request: pytest.FixtureRequest) -> None:
    """Attacks of a library need it."""
    case = request.node.callspec.params.get("case") if hasattr(request.node, "callspec") else None
    if case is not None and isinstance(case.attack, zoo.Library):
        pytest.importorskip(case.attack.library)


@pytest.fixture
def setting(network: Callable[..., nn.Sequential]) -> Callable[..., Setting]:
    """(case, images, shape, dtype) to a setting."""

    def make(case: Case, n: int = 8, shape: tuple[int, int, int] = (2, 5, 9), dtype: Any = torch.float64) -> Setting:
        model = network(shape, CLASSES)
        generator = torch.Generator().manual_seed(n)
        x = (torch.rand((n, *shape), generator=generator, dtype=torch.float64) * 1.2 - 0.1).clamp(
            0, 1
        )  # some saturated
        x = ((x * 255).round() / 255).float().to(dtype)  # the same images in either precision
        model = model.to(dtype)
        with torch.no_grad():
            y = model(x).argmax(1)
        if n > 3:
            y[-1] = (y[-1] + 1) % CLASSES
        return Setting(model, x, y, {"targets": (y + 2) % CLASSES} if case.targeted else {})

    return make


@pytest.fixture
def two_sided(linear: type[nn.Module]) -> Callable[..., tuple[Setting, dict[str, float]]]:
    """Two opposite logits +-(w.x + b), all images of class 0 at one distance: every gradient is the normal w."""

    def make(case: Case, n: int = 4, dtype: Any = torch.float64) -> tuple[Setting, dict[str, float]]:
        generator = torch.Generator().manual_seed(1)
        w = torch.empty(24, dtype=torch.float64).uniform_(0.5, 1.5, generator=generator)
        w[::2] *= -1
        x = torch.empty((n, 2, 3, 4), dtype=torch.float64).uniform_(0.4, 0.6, generator=generator)
        offset = 0.12 * w.abs().sum()
        x += ((0 - x.flatten(1) @ w) / (w @ w))[:, None, None, None] * w.view(2, 3, 4)  # onto the plane w.x = 0
        assert 0.25 < x.min() < x.max() < 0.75
        model = linear(torch.stack([w, -w]), torch.stack([offset, -offset])).to(dtype)
        y = torch.zeros(n, dtype=torch.int64)
        optimum = {"l2": float(offset / w.norm()), "linf": 0.12}
        optimum["weight"] = optimum["l2"] * float(w.abs().max() / w.norm())  # largest pixel of the shortest in L2
        return Setting(model, x.to(dtype), y, {"targets": y + 1} if case.targeted else {}), optimum

    return make


def moved(setting: Setting, result: AttackResult, norm: str) -> Tensor:
    return lengths(result.adv - setting.x, norm)


def fixed_length(attack: zoo.Attack) -> bool:
    return (isinstance(attack, zoo.Search) and attack.epsilon > 0) or isinstance(attack, zoo.Noise | zoo.PGD)


# What a no-op must fail. Each takes the attack, so that another can be put in its place.


def check_shortest(case: Case, attack: zoo.Attack, two_sided: Callable[..., Any]) -> None:
    setting, optimum = two_sided(case)
    result, norm = setting.run(attack), case.best or attack.norm_name
    assert bool(result.success.all())
    ratio = moved(setting, result, norm) / optimum[norm]
    assert 1 - 1e-9 <= float(ratio.min()) <= float(ratio.max()) <= 1.05


def check_length(case: Case, attack: zoo.Attack, two_sided: Callable[..., Any]) -> None:
    setting, optimum = two_sided(case)
    for share, found in ((1.05, True), (0.95, False)):
        length = share * optimum[case.best or attack.norm_name]
        at = remake(attack, epsilon=length)
        result = setting.run(at)
        if not isinstance(attack, zoo.Noise):  # along the normal, just far enough or not quite
            assert bool((result.success == found).all())
        assert moved(setting, result, attack.norm_name) == pytest.approx(torch.full((4,), length).double(), rel=1e-6)


def check_common(case: Case, attack: zoo.Attack, two_sided: Callable[..., Any]) -> None:
    setting, optimum = two_sided(case)
    result = setting.run(remake(attack, epsilon=1.1 * optimum[attack.norm_name], fooling=1.0, passes=50))
    assert result.universal is not None
    assert bool(result.success.all())
    assert float(lengths(result.universal[None], attack.norm_name)) <= 1.1 * optimum[attack.norm_name] * (1 + 1e-9)
    assert torch.allclose(result.adv, (setting.x + result.universal).clamp(0, 1))


def check_level(case: Case, attack: zoo.Attack, two_sided: Callable[..., Any]) -> None:
    setting, _ = two_sided(case)
    result = setting.run(attack)
    assert bool(result.success.all())
    with torch.no_grad():
        assert float(torch.softmax(setting.model(result.adv), 1)[:, 1].min()) >= attack.level  # type: ignore[attr-defined]


def check_flips(case: Case, attack: zoo.Attack, two_sided: Callable[..., Any]) -> None:
    setting, _ = two_sided(case)
    assert bool(setting.run(attack).success.all())


def key_check(case: Case) -> Callable[..., None]:
    attack = case.attack
    if isinstance(attack, zoo.UAP):
        return check_common
    if isinstance(attack, zoo.Fooling):
        return check_level
    if fixed_length(attack):
        return check_length
    return check_shortest if attack.minimal else check_flips


def remake(attack: zoo.Attack, kind: type[zoo.Attack] | None = None, **changes: Any) -> Any:
    values = {f.name: getattr(attack, f.name) for f in dataclasses.fields(attack)}
    return (kind or type(attack))(**{**values, **changes})


def no_op(attack: zoo.Attack) -> zoo.Attack:
    """One that claims success and returns the images as they are."""

    def method(problem: Problem, params: Any) -> Outcome:
        n = len(problem)
        nothing = torch.zeros(n, dtype=torch.int64)
        return Outcome(problem.x.clone(), nothing, nothing, universal=torch.zeros(problem.x.shape[1:]).to(problem.x))

    return remake(attack, type("NoOp", (type(attack),), {"method": staticmethod(method)}))


@every
def test_closed_form(case: Case, two_sided: Callable[..., Any]) -> None:
    key_check(case)(case, case.attack, two_sided)


@every
def test_a_no_op_fails(case: Case, two_sided: Callable[..., Any]) -> None:
    with pytest.raises(AssertionError):
        key_check(case)(case, no_op(case.attack), two_sided)


@pytest.mark.parametrize("case", [c for c in ALL if c.nearest], ids=ids)
def test_nearest_of_several_planes(case: Case, linear: type[nn.Module]) -> None:
    generator = torch.Generator().manual_seed(3)
    w = torch.randn((5, 24), generator=generator, dtype=torch.float64)
    x = torch.empty((32, 2, 3, 4), dtype=torch.float64).uniform_(0.2, 0.8, generator=generator)
    b = -(x.flatten(1) @ w.T).mean(0)
    model = linear(w, b)
    with torch.no_grad():
        logits = model(x)
    y = logits.argmax(1)
    norm = case.attack.norm_name
    gaps = logits.gather(1, y[:, None]) - logits
    away = torch.linalg.vector_norm(w[:, None] - w[None], ord=2 if norm == "l2" else 1, dim=2)[y]
    planes = torch.where(gaps > 0, gaps / away, torch.inf)
    optimum = planes.min(1).values
    ok = optimum > 0.02  # where the 1e-4 that DeepFool adds is nothing
    assert ok.sum() > 8
    assert planes.argmin(1)[ok].unique().numel() > 2
    result = case.attack(model, x, y)
    assert bool(result.success.all())
    ratio = (lengths(result.adv - x, norm) / optimum)[ok]
    assert 1 - 1e-9 <= float(ratio.min()) <= float(ratio.max()) <= 1.05


@every
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("n", [0, 1, 3, 8])
def test_what_comes_back_is_what_it_says(
    case: Case, n: int, shape: tuple[int, int, int], setting: Callable[..., Setting]
) -> None:
    s, attack = setting(case, n, shape, torch.float32), case.attack
    seen: list[int] = []
    s.model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    before = [s.x.clone(), s.y.clone(), torch.get_rng_state()]
    result = s.run(attack)
    assert sum(seen) == result.forwards
    assert torch.equal(s.x, before[0])
    assert torch.equal(s.y, before[1])
    assert torch.equal(torch.get_rng_state(), before[2])
    assert result.adv.shape == s.x.shape
    assert result.adv.dtype == s.x.dtype
    assert result.adv.data_ptr() != s.x.data_ptr() or not n
    for name in ("success", "eligible", "status", "prediction", "margin", "distance", "steps", "epsilon"):
        values = getattr(result, name)
        assert values.shape == (n,)
        assert not values.requires_grad
        assert not values.is_inference()
    clip = getattr(attack, "clip", "each")
    if clip != "none" and n:
        assert float(result.adv.min()) >= 0
        assert float(result.adv.max()) <= 1
    if n:
        with torch.no_grad():
            logits, t, y = s.model(result.adv), s.extra.get("targets"), s.y
            if attack.set_level:  # it is to change what the network says, right or wrong
                y = s.model(s.x).argmax(1)
        assert torch.equal(result.prediction, logits.argmax(1))
        assert torch.allclose(result.margin, margin(logits, y, attack.goal(t)), atol=1e-4)
        assert torch.allclose(result.distance, moved(s, result, attack.norm_name), atol=1e-5)
        assert torch.equal(result.success, result.eligible & attack.achieved(logits, y, t))
        assert torch.equal(result.success, result.status == Status.SUCCESS)
    assert torch.equal(result.eligible, result.status != Status.INELIGIBLE)
    assert torch.equal(result.adv[~result.eligible], s.x[~result.eligible])
    if attack.needs_correct:
        assert int(result.eligible.sum()) == (n if n <= 3 else n - 1)
    if n == 8 and attack.minimal and not attack.set_level and not fixed_length(attack) and clip != "end":
        assert int(result.success.sum()) > int(result.eligible.sum()) / 2  # what is clipped at the end is often lost
        assert result.backwards > 0


def same(a: AttackResult, b: AttackResult, tolerance: float = 1e-7) -> None:
    assert torch.equal(a.status, b.status)
    assert torch.equal(a.steps, b.steps)
    assert torch.allclose(a.adv, b.adv, atol=tolerance, rtol=0)


@one_by_one
def test_the_other_images_do_not_matter(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    together = s.run(case.attack)
    for i in range(8):
        same(one(together, slice(i, i + 1)), s.run(case.attack, slice(i, i + 1)))
    order = torch.tensor([3, 7, 0, 5, 1, 2, 6, 4])
    same(one(together, order), s.run(case.attack, order))


def one(result: AttackResult, rows: Any) -> AttackResult:
    return dataclasses.replace(
        result, **{name: getattr(result, name)[rows] for name in ("adv", "status", "steps", "success", "distance")}
    )


@every
@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_batch_size_does_not_matter(case: Case, batch_size: int, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    seen: list[int] = []
    expected = s.run(case.attack)
    s.model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    same(expected, s.run(case.attack, batch_size=batch_size))
    assert max(seen) <= batch_size


@every
def test_the_mode_of_the_caller_does_not_matter(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    expected = s.run(case.attack)
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            same(expected, s.run(case.attack))
    wide = torch.zeros((*s.x.shape[:3], 2 * s.x.shape[3])).to(s.x)
    wide[..., ::2] = s.x
    same(expected, dataclasses.replace(s, x=wide[..., ::2]).run(case.attack))
    same(expected, dataclasses.replace(s, x=s.x.clone().requires_grad_()).run(case.attack))
    same(expected, dataclasses.replace(s, x=s.x.contiguous(memory_format=torch.channels_last)).run(case.attack))
    last = setting(case).model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    same(expected, dataclasses.replace(s, model=last).run(case.attack))


class Divided(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x / 255 + 0.5)


@every
def test_the_pixel_unit_does_not_matter(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    scaled = Setting(Divided(s.model), (s.x - 0.5) * 255, s.y, s.extra)
    expected, result = s.run(case.attack), scaled.run(case.attack, bounds=(-127.5, 127.5))
    if case.draws:  # other bytes, other draws
        assert float(result.distance.max()) <= float(case.attack.epsilon) * (1 + 1e-9)  # type: ignore[attr-defined]
        return
    assert torch.equal(expected.status, result.status)
    assert torch.allclose(expected.adv, result.adv / 255 + 0.5, atol=1e-6)
    assert torch.allclose(expected.distance, result.distance, atol=1e-6)
    assert torch.allclose(expected.epsilon, result.epsilon, atol=1e-6, equal_nan=True)


@every
def test_both_precisions_agree(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    single = setting(case, dtype=torch.float32)
    exact, result = s.run(case.attack), single.run(case.attack)
    assert exact.adv.dtype == torch.float64
    assert result.adv.dtype == torch.float32
    if case.draws:
        assert torch.equal(exact.eligible, result.eligible)
        return
    assert torch.equal(exact.status, result.status)
    assert torch.allclose(exact.distance, result.distance.double(), rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("case", [c for c in ALL if c.confined], ids=ids)
def test_subspaces(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    size = s.x[0].numel()
    q = torch.linalg.qr(torch.randn((size, size), generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
    same(s.run(case.attack), s.run(case.attack, basis=q), 1e-6)
    part = q[:, : size // 3]
    result = s.run(case.attack, basis=part)
    r = (result.adv - s.x).flatten(1)[result.eligible]
    assert float((r - r @ part @ part.T).norm(dim=1).max()) < 1e-6
    assert float(r.norm(dim=1).min()) > 1e-3
    assert bool(result.success.any())


@pytest.mark.parametrize(
    "case", [c for c in ALL if isinstance(c.attack, zoo.Noise | zoo.PGD)], ids=ids
)  # a search takes 0 as "the smallest"
def test_no_length_is_no_change(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    result = s.run(remake(case.attack, epsilon=0.0))
    assert torch.equal(result.adv, s.x)
    assert not result.success.any()


class Fails(nn.Module):
    """Stops working after some forwards: by an exception, or by NaN."""

    def __init__(self, model: nn.Module, good: int, raises: bool) -> None:
        super().__init__()
        self.model, self.left, self.raises = model, good, raises

    def forward(self, x: Tensor) -> Tensor:
        self.left -= 1
        assert self.left > -3000, "the attack does not end"
        if self.left < 0 and self.raises:
            raise RuntimeError("no more")
        return self.model(x) * (1.0 if self.left >= 0 else torch.nan)


@every
@pytest.mark.parametrize("good", [0, 1, 2, 1000])
def test_the_model_is_left_as_it_was(case: Case, good: int, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    model = Fails(s.model, good, raises=True)
    s.model.train()
    s.model[1].eval()  # type: ignore[index]
    s.model[0].weight.requires_grad_(False)  # type: ignore[index]
    marks = {name: torch.full_like(p, 7.0) for name, p in model.named_parameters()}
    for name, parameter in model.named_parameters():
        parameter.grad = marks[name]

    def state() -> list[Any]:
        wanted = [p.requires_grad for p in model.parameters()]
        return [[m.training for m in model.modules()], wanted, [b.clone() for b in model.buffers()]]

    before = state()
    fails = pytest.raises((RuntimeError, ValueError), match="no more") if good < 2 else contextlib.nullcontext()
    with contextlib.suppress(RuntimeError, ValueError) if good == 2 else fails:
        dataclasses.replace(s, model=model).run(case.attack)
    after = state()
    assert after[:2] == before[:2]
    assert all(torch.equal(a, b) for a, b in zip(after[2], before[2], strict=True))
    for name, parameter in model.named_parameters():
        assert parameter.grad is marks[name]
        assert bool((parameter.grad == 7).all())


@every
@pytest.mark.parametrize("good", [0, 1, 2, 3])
@pytest.mark.filterwarnings("ignore")
def test_logits_that_are_not_numbers(case: Case, good: int, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    model = Fails(s.model, good, raises=False)
    result = dataclasses.replace(s, model=model).run(case.attack)
    assert bool(torch.isfinite(result.adv).all())
    assert model.left >= 0 or not result.success.any()
    if good == 0:
        assert bool((result.status == Status.NONFINITE).all())
        assert torch.equal(result.adv, s.x)
        assert not result.eligible.any()


class NoSlope(nn.Module):
    """Constant logits, as far as a gradient tells: its own is 0, or NaN."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        logits = torch.tensor([2.0, 1.0, 0.5, -3.0]).to(x) + 0 * x.flatten(1)[:, :4]
        return logits if self.kind == "zero" else logits + (0 * x.flatten(1).sum(1, keepdim=True)).sqrt()


@every
@pytest.mark.parametrize("kind", ["zero", "nan"])
@pytest.mark.filterwarnings("ignore")
def test_gradients_that_lead_nowhere(case: Case, kind: str, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    y = torch.zeros(8, dtype=torch.int64)
    result = Setting(NoSlope(kind), s.x, y, {"targets": y + 1} if case.targeted else {}).run(case.attack)
    assert bool(result.eligible.all())
    assert not result.success.any()
    assert bool(torch.isfinite(result.adv).all())
    if result.backwards and not isinstance(case.attack, zoo.Library | zoo.UAP | zoo.LBFGS | zoo.PGD):
        expected = Status.ZERO_GRADIENT if kind == "zero" else Status.NONFINITE
        assert bool((result.status == expected).all())


@every
def test_a_function_is_as_good_as_a_module(case: Case, setting: Callable[..., Setting]) -> None:
    s = setting(case)
    s.model.requires_grad_(False)
    module = s.model
    same(s.run(case.attack), dataclasses.replace(s, model=lambda x: module(x)).run(case.attack))  # type: ignore[arg-type]


@every
def test_wrong_arguments(case: Case, setting: Callable[..., Setting]) -> None:
    s, attack = setting(case), case.attack
    with pytest.raises(ValueError, match=rf"{attack.label} takes no nonsense="):
        s.run(attack, nonsense=s.x)
    if attack.targeted == "never":
        with pytest.raises(ValueError, match=f"{attack.label} takes no targets"):
            attack(s.model, s.x, s.y, targets=(s.y + 1) % CLASSES)
    if attack.targeted == "always":
        with pytest.raises(ValueError, match=f"{attack.label} needs targets="):
            attack(s.model, s.x, s.y)


def test_every_attack_has_a_case() -> None:
    assert set(ATTACKS.names()) - {"none"} == set(CASES)
    for name, cases in CASES.items():
        kind = ATTACKS.load(name)
        assert all(type(case.attack) is kind for case in cases)
        if kind.targeted != "never" and name != "library":
            assert any(case.targeted for case in cases), f"{name} takes targets: a case with them is missing"
        if "basis" in kind.takes:
            assert any(case.confined for case in cases)


FILES = sorted(path for path in CONFIGS.glob("*.yaml") if path.stem != "none")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_runs(path: Path, setting: Callable[..., Setting]) -> None:
    node = yaml.safe_load(path.read_text(encoding="utf-8"))
    name = node.pop("name")
    assert name in CASES, f"{path.name} names {name}: a case is missing"
    attack = construct(ATTACKS.load(name), node, "attack")
    if isinstance(attack, zoo.Library):
        pytest.importorskip(attack.library)
    s = setting(Case(attack, targeted=attack.targeted == "always"), 3, (3, 8, 8), torch.float32)
    result = s.run(attack)
    assert result.status.shape == (3,)


def test_every_attack_has_a_file() -> None:
    names = {yaml.safe_load(path.read_text(encoding="utf-8"))["name"] for path in FILES}
    assert names == set(CASES)


def test_hyperparameters_out_of_range() -> None:
    kinds = {ATTACKS.load(name) for name in CASES}
    wrong: dict[str, list[Any]] = {
        "resolution": [0.0, 2.0], "bisections": [-1], "epsilon": [-0.1], "max_iter": [0], "overshoot": [-0.1], "steps": [0],
        "fooling": [0.0, 1.1], "level": [0.0, 1.0], "trials": [0], "restarts": [0], "hot": [-1], "candidates": [-1],
        "searches": [0], "initial": [0.0], "history": [0], "passes": [0], "images": [0], "refinements": [0],
    }  # fmt: skip
    seen = set()
    for kind, (name, values) in itertools.product(kinds, wrong.items()):
        if name in {f.name for f in dataclasses.fields(kind)} and kind is not zoo.Library:
            seen.add(name)
            for value in values:
                with pytest.raises(ValueError, match=name):
                    kind(**{name: value})
    assert seen == set(wrong)
