"""Training: the recipe (data only, no torch), the augmentations and the loop."""
