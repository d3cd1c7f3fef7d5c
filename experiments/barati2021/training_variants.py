"""Names of the networks that figure 5 of barati2021 compares, and what each is trained on."""

from __future__ import annotations

NETWORKS = {
    "reference": "the whole training set, clean",
    "third": "the robust network's share of it, clean",
    "noise": "the share, and as many points moved at random, each as far as a hard point of its image",
    "hard": "the robust network: the share, and hard points (eq 9)",
    "adversarial": "the share, and adversarial points (eq 10)",
    "pgd": "the share, and points that ascend the label's loss: PGD training with the same steps",
}
#: network -> the adversary of its recipe, which adds points to each batch; the others are trained without
ADVERSARIES = {"noise": "hard_noise", "hard": "hard", "adversarial": "adversarial", "pgd": "pgd"}
REACH_IMAGES = 500  # over so many test images, at most, the distance of the training points is averaged
