"""Attacks of foolbox, torchattacks, ART and adv-lib by name."""
