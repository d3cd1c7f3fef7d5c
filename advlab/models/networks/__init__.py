"""Networks that take normalised images (N, C, H, W) and give logits (N, classes), one architecture per module."""
