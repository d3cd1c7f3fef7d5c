"""How the neighbourhood of an image is sampled: which images, which perturbations, and the batched sweep over both."""
