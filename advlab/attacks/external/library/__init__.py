"""Attacks of foolbox, torchattacks and ART by name."""
