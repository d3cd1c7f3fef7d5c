"""Defenses: what stands between an image and a network, as frozen dataclasses; importing them loads no torch."""
