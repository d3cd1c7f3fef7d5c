"""A run's network behind a defense: logits, features, digests, fitting, precision, and experiments that list defenses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from advlab import testing
from advlab.attacks import PGD
from advlab.attacks.defended import Defended
from advlab.config.components import NoComponent
from advlab.defenses import Blur, Chain, Noise, Project, Round
from advlab.errors import ConfigError
from advlab.lab import NetworkContext
from advlab.lab.defended_classifier import DefendedClassifier, defended_classifier
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from advlab.store.artifacts import ArtifactStore
from tests.helpers.images import random_images

SHAPE = (1, 6, 6)


def network(seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Tanh(), nn.Linear(8, 3))
    return Classifier(layers, name="toy", shape=SHAPE, mean=torch.full((1, 1, 1), 0.3), std=None).eval()


def context(tmp_path: Path) -> NetworkContext:
    data = random_images(12, SHAPE)
    ctx: NetworkContext = testing.context("isotropy", network(), data, samples=[0, 1, 2], folder=tmp_path)
    return ctx


def test_logits_and_features_are_those_of_the_defended_image() -> None:
    plain, x = network(), torch.rand(4, *SHAPE)
    defended = DefendedClassifier(plain, Blur(sigma=1.0))
    blurred = Blur(sigma=1.0)(nn.Identity())(x)
    torch.testing.assert_close(defended(x), plain(blurred))
    logits, features = defended.layer_features(x, ["auto", "1"])
    assert logits.equal(defended(x))
    for found, wanted in zip(features, plain.layer_features(blurred, ["auto", "1"])[1], strict=True):
        torch.testing.assert_close(found, wanted)
    assert defended.layers() == plain.layers()
    assert isinstance(defended, Defended)
    assert not isinstance(plain, Defended)


def test_the_digest_tells_defenses_apart_and_nothing_else() -> None:
    plain = network()
    digests = {
        plain.digest(), network(1).digest(), *(
            DefendedClassifier(plain, defense).digest()
            for defense in (Blur(), Blur(sigma=2.0), Noise(), Noise(seed=1), Chain(of=(Blur(), Noise())))
        ),
    }  # fmt: skip
    assert len(digests) == 7
    assert DefendedClassifier(network(), Blur()).digest() == DefendedClassifier(plain, Blur(sigma=1.0)).digest()


def test_none_is_the_network_itself(tmp_path: Path) -> None:
    plain = network()
    assert defended_classifier(plain, NoComponent(), ArtifactStore(tmp_path), lambda: random_images(3, SHAPE)) is plain


def test_what_a_defense_is_fitted_to_is_kept(tmp_path: Path) -> None:
    torch.manual_seed(1)
    defense, data, loads = Project(basis=torch.randn(36, 4), centred=True), random_images(12, SHAPE), []

    def train_data() -> Any:
        loads.append(1)
        return data

    first = defended_classifier(network(), defense, ArtifactStore(tmp_path), train_data)
    again = defended_classifier(network(), defense, ArtifactStore(tmp_path), train_data)
    assert first.digest() == again.digest()
    assert len(list((tmp_path / "defense").glob("*/facts.json"))) == 1
    other = defended_classifier(network(), defense, ArtifactStore(tmp_path), lambda: random_images(13, SHAPE))
    assert other.digest() != first.digest()
    defended_classifier(
        network(1), defense, ArtifactStore(tmp_path), train_data
    )  # of another network, a fit of its own
    assert len(list((tmp_path / "defense").glob("*/facts.json"))) == 3
    x, basis = torch.rand(2, *SHAPE), torch.linalg.qr(defense.basis).Q
    deviation = (x - data.mean_image().float()).flatten(1)
    wanted = data.mean_image().float() + (deviation @ basis @ basis.T).view_as(x)
    torch.testing.assert_close(first(x), network()(wanted))


def test_a_dry_run_fits_nothing(tmp_path: Path) -> None:
    """An unfitted defense changes no image there, and has its traits; what is kept is used."""
    chain = Chain(of=(Noise(), Project(basis=torch.eye(36)[:, :4], centred=True)))
    data, x = random_images(12, SHAPE), torch.rand(2, *SHAPE)
    dry, plain = ArtifactStore(tmp_path, writes=False), network()
    planned = defended_classifier(plain, chain, dry, lambda: data)
    assert isinstance(planned, DefendedClassifier)
    assert (planned.random, planned.differentiable, planned.fitting) == (True, True, "to do")
    assert planned(x).equal(plain(x))
    assert list(tmp_path.iterdir()) == []
    fitted = defended_classifier(plain, chain, ArtifactStore(tmp_path), lambda: data)
    kept = defended_classifier(plain, chain, dry, lambda: data)
    assert isinstance(fitted, DefendedClassifier)
    assert isinstance(kept, DefendedClassifier)
    assert (fitted.fitting, kept.fitting) == ("done", "kept")
    assert kept.digest() == fitted.digest()
    assert kept(x).equal(fitted(x))


def test_a_defense_that_lacks_something_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="defense=project: project needs the directions: path=FILE"):
        defended_classifier(network(), Project(), ArtifactStore(tmp_path), lambda: random_images(3, SHAPE))


def test_defenses_of_a_context_stand_in_front_of_each_other(tmp_path: Path) -> None:
    ctx, x = context(tmp_path), torch.rand(3, *SHAPE)
    blurred = ctx.defended(Blur(sigma=1.0))
    assert blurred is ctx.defended(Blur(sigma=1.0))
    assert ctx.defended(NoComponent()) is ctx.forward
    both = ctx.defended(Blur(sigma=1.0), network=ctx.defended(Project(basis=torch.eye(36)[:, :20])))
    wanted = Chain(of=(Blur(sigma=1.0), Project(basis=torch.eye(36)[:, :20])))(ctx.classifier)
    torch.testing.assert_close(both(x), wanted(x))
    assert blurred.images == 0
    assert both.images == 3


def test_attacks_see_the_defense_in_every_precision(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    x, labels = ctx.images_and_labels([0, 1, 2])
    labels = ctx.forward(x).argmax(1)
    for precision in ("float32", "bf16"):
        forward = Forward(DefendedClassifier(network(), Noise(sigma=0.1)), Execution(64, "contiguous", precision))
        target = forward.attack_target
        assert isinstance(target, Defended)
        assert target.random
        result = ctx.attack(PGD(steps=2, epsilon=0.3, draws=3), x, labels, network=forward)
        assert result.facts["defense"]["draws"] == 3
        assert result.forwards >= 3 * 3 * 2
    assert ctx.counts.facts["defense"]["gradient"] == "exact, averaged over draws"
    plain = ctx.attack(PGD(steps=2, epsilon=0.3, draws=3), x, labels)
    assert "defense" not in plain.facts


def test_images_keep_their_grey_levels_in_bfloat16() -> None:
    """The network's precision is not that of what stands in front of it."""
    seen: list[torch.Tensor] = []
    plain, x = network(), torch.rand(3, *SHAPE)
    plain.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    basis = torch.linalg.qr(torch.randn(36, 9)).Q
    defended = DefendedClassifier(plain, Chain(of=(Project(basis=basis), Blur(), Round())))
    wanted = Chain(of=(Project(basis=basis), Blur(), Round()))(nn.Identity())(x)
    forward = Forward(defended, Execution(64, "contiguous", "bf16"))
    for target in (forward, forward.attack_target):
        seen.clear()
        logits = target(x)
        assert seen[0].equal(wanted)
        with torch.autocast("cpu", torch.bfloat16):
            assert logits.equal(plain(wanted).float())  # the network itself is in bfloat16
    assert not logits.equal(plain(wanted))


def test_one_draw_makes_the_network_one_function() -> None:
    x = torch.rand(1, *SHAPE, dtype=torch.float64)
    defended = DefendedClassifier(network(), Noise(sigma=0.2, clip=False)).double()
    nearby = x + 1e-9
    assert float((defended(nearby) - defended(x)).detach().abs().max()) > 1e-3  # another draw
    before = defended.digest()
    defended.hold_one_draw()
    assert defended.digest() != before
    assert not defended.random
    assert float((defended(nearby) - defended(x)).detach().abs().max()) < 1e-7
    noise = defended.classifier(x) - defended(x)
    assert float(noise.detach().abs().max()) > 1e-3  # there is still a draw, and the same in any batch
    torch.testing.assert_close(defended(torch.cat([nearby, x]))[1:], defended(x))
