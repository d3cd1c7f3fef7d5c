"""Every component that a configuration can name, by family: names only, nothing is imported until one is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from advlab.config.registry import Registry


@dataclass(frozen=True, kw_only=True)
class NoComponent:
    """The choice `none` of every group."""


EXPERIMENTS: Registry[Any] = Registry("experiment")
MODELS: Registry[Any] = Registry("model")
DATASETS: Registry[Any] = Registry("dataset")
RECIPES: Registry[Any] = Registry("recipe")
ATTACKS: Registry[Any] = Registry("attack")
PROBES: Registry[Any] = Registry("probe")

FAMILIES: dict[str, Registry[Any]] = {
    "dataset": DATASETS,
    "model": MODELS,
    "recipe": RECIPES,
    "attack": ATTACKS,
    "probe": PROBES,
    "experiment": EXPERIMENTS,
}

for _registry in (DATASETS, MODELS, RECIPES, ATTACKS, PROBES):
    _registry.add("none", "advlab.config.components:NoComponent")

EXPERIMENTS.add("isotropy", "advlab.experiments.aghdam2017.isotropy:Isotropy")
EXPERIMENTS.add("symmetricity", "advlab.experiments.aghdam2017.symmetricity:Symmetricity")
EXPERIMENTS.add("topology", "advlab.experiments.aghdam2017.topology:Topology")
EXPERIMENTS.add("gradient_isotropy", "advlab.experiments.aghdam2017.gradient_isotropy:GradientIsotropy")
EXPERIMENTS.add("lipschitz", "advlab.experiments.aghdam2017.lipschitz:Lipschitz")
EXPERIMENTS.add("frequency", "advlab.experiments.aghdam2017.frequency:Frequency")
EXPERIMENTS.add("lipschitz_toy", "advlab.experiments.aghdam2017.lipschitz_toy:LipschitzToy")
EXPERIMENTS.add("symmetry_map", "advlab.experiments.aghdam2017.symmetry_map:SymmetryMap")
EXPERIMENTS.add("bernstein_chebyshev", "advlab.experiments.barati2021.bernstein_chebyshev:BernsteinChebyshev")
EXPERIMENTS.add("training_grids", "advlab.experiments.barati2021.training_grids:TrainingGrids")
EXPERIMENTS.add("hard_points", "advlab.experiments.barati2021.hard_points:HardPoints")
EXPERIMENTS.add("adversarial_gallery", "advlab.experiments.gunther2017.adversarial_gallery:AdversarialGallery")
EXPERIMENTS.add("attack_survey", "advlab.experiments.surveys.attack_survey:AttackSurvey")
EXPERIMENTS.add("fooling_gallery", "advlab.experiments.gunther2017.fooling_gallery:FoolingGallery")
EXPERIMENTS.add("mlp_objectives", "advlab.experiments.barati2021.mlp_objectives:MLPObjectives")
EXPERIMENTS.add("sample_complexity", "advlab.experiments.barati2021.sample_complexity:SampleComplexity")
EXPERIMENTS.add("hard_point_training", "advlab.experiments.barati2021.hard_point_training:HardPointTraining")

RECIPES.add("recipe", "advlab.training.recipe:Recipe")

PROBES.add("sphere", "advlab.probes.sphere:Sphere")

for _name, _class in {
    "fgs": "FGS",
    "fgv": "FGV",
    "hot_cold": "HotCold",
    "saliency": "Saliency",
    "noise": "Noise",
    "deepfool": "DeepFool",
    "uap": "UAP",
    "lbfgs": "LBFGS",
    "pgd": "PGD",
    "fooling": "Fooling",
    "library": "Library",
}.items():
    ATTACKS.add(_name, f"advlab.attacks:{_class}")

for _name, _class in {
    "digits": "Digits",
    "mnist": "Mnist",
    "fashion_mnist": "FashionMnist",
    "kmnist": "KMnist",
    "cifar10": "Cifar10",
    "cifar100": "Cifar100",
    "gtsrb": "Gtsrb",
    "imagenet": "ImageNet",
    "folder": "Folder",
}.items():
    _module = (
        "digits" if _name == "digits" else "file_sources" if _name in ("imagenet", "folder") else "torchvision_sources"
    )
    DATASETS.add(_name, f"advlab.data.{_module}:{_class}")

for _name, _class in {
    "lenet": "LeNet",
    "nin": "NiN",
    "ciresan": "Ciresan",
    "aghdam": "Aghdam",
    "mlp": "MLP",
    "cifar_alexnet": "CifarAlexNet",
    "cifar_vgg": "CifarVGG",
}.items():
    MODELS.add(_name, f"advlab.models.builtin:{_class}")
