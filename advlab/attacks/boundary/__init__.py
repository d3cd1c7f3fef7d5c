"""Attacks that step to the nearest linearised class boundary."""
