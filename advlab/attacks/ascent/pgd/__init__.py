"""Projected gradient ascent in a ball."""
