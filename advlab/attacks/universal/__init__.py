"""Attacks that find one perturbation for all images."""
