"""Fooling images: ascent of a class's probability from any start."""
