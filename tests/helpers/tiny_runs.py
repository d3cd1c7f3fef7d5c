"""What makes a run of each experiment cheap, for tests that run all of them."""

from __future__ import annotations

TINY = ["run.preset=tiny", "run.batch_size=100", "run.download=false"]
NOISE = ["probe.noise=portable", "probe.samples=2", "probe.confidence=0"]
SPHERE = [*NOISE, "probe.radii=[.1,1]", "probe.trials=12", "recipe.epochs=1"]
DIGITS = ["dataset=digits", "model=lenet", "recipe=lenet_digits", "recipe.epochs=1"]
CURVATURE = [*DIGITS, "experiment.basis=lanczos", "experiment.pairs=1", "experiment.points=2"]
#: what makes each experiment cheap, and draws the same numbers on both devices
OPTIONS = {
    "adversarial_gallery": [*DIGITS, "experiment.columns=1", "experiment.verdicts=[openmax]"],
    "adversarial_training": [
        *DIGITS, "experiment.networks=[base,fgs,hc,fgs+hc,clean,noise,pgd]", "experiment.seeds=1", "experiment.train_images=40",
        "experiment.images=5", "experiment.apgd_steps=3",
    ],
    "aliasing": [*DIGITS],
    "attack_survey": [*DIGITS, "attack=fgv", "experiment.samples=4", "experiment.transfer=[mlp]"],
    "basis_angles": [*CURVATURE, "experiment.dimensions=[1]", "experiment.perturbations=40"],
    "bernstein_chebyshev": ["experiment.degrees=[1,3]"],
    "class_scores": [*DIGITS, "experiment.classes=[3,8]", "experiment.basis=lanczos", "experiment.pairs=2"],
    "confined_deepfool": [*DIGITS, "experiment.samples=6"],
    "curvature": [*DIGITS, "experiment.basis=lanczos", "experiment.pairs=3"],
    "curvature_sign": [*DIGITS],
    "curved_universal": [*DIGITS, "experiment.basis=lanczos", "experiment.pairs=3"],
    "deepfool_svd": [*DIGITS],
    "downsampling": [*DIGITS, "experiment.samples=6", "experiment.factors=[1,10]", "experiment.confined=1"],
    "first_layer": [*DIGITS],
    "fooling_gallery": [*DIGITS, "experiment.classes=[0,1]", "experiment.levels=[.5]", "experiment.verdicts=[openmax]"],
    "fooling_grid": [*DIGITS, "experiment.levels=[.5]"],
    "frequency": ["experiment.samples=2", "experiment.size=8"],
    "gradient_isotropy": [*SPHERE, "experiment.directions=2"],
    "gradient_penalty": [
        *DIGITS, "experiment.penalties=[gradient:0.1]", "experiment.noise=portable", "experiment.seeds=1",
        "experiment.trials=12",
    ],
    "hard_point_training": [
        *DIGITS, "experiment.networks=[reference,noise,hard]", "experiment.train_images=200", "experiment.seeds=1",
        "experiment.images=20", "experiment.pgd_images=10", "experiment.pgd_steps=2", "experiment.epsilons=[0,1]",
    ],
    "hard_points": ["experiment.degree=2"],
    "isotropy": SPHERE,
    "lipschitz": SPHERE,
    "lipschitz_toy": [],
    "mlp_objectives": ["experiment.networks=1"],
    "open_set": [
        *DIGITS, "experiment.attacks=[fgv,hc1]", "experiment.samples=6", "experiment.classes=2", "experiment.levels=[.5]",
        "experiment.offsets=[-5]", "experiment.tail_sizes=[20,1000]", "experiment.alphas=[]",
    ],
    "preprocessing": [*DIGITS, "experiment.attacks=[fgv,hc1]", "experiment.samples=12", "experiment.controls=2"],
    "preprocessing_strength": [
        *DIGITS, "experiment.attacks=[fgv]", "experiment.defenses=[combined,crops]", "experiment.adaptive=[fgv]",
        "experiment.samples=6", "experiment.grids=[2]",
    ],
    "preprocessing_training": [*DIGITS, "experiment.perturbations=[shift:1,noise:8]", "experiment.attacks=[fgs,fgv]"],
    "sample_complexity": ["experiment.teachers=1", "experiment.sizes=[50]", "experiment.steps=20", "experiment.pool=1024"],
    "score_curves": [*DIGITS, "experiment.classes=[3,8]", "experiment.basis=lanczos", "experiment.pairs=2"],
    "separability": [*DIGITS],
    "subspace_accuracy": CURVATURE,
    "subspace_norms": CURVATURE,
    "suppression": [*CURVATURE, "experiment.samples=4", "experiment.subspaces=[most,random]"],
    "symmetricity": SPHERE,
    "symmetry_map": [*NOISE, "probe.samples=1", "experiment.grid=11", "recipe.epochs=1"],
    "topology": SPHERE,
    "training_grids": ["experiment.sizes=[2,10]", "experiment.degree=4", "experiment.drawn_sizes=[10]"],
}  # fmt: skip
