"""Attacks from elsewhere, on a network whose forwards are counted."""
