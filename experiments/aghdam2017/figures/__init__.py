"""What only the figures of aghdam2017 draw."""
