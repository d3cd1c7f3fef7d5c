"""Runs read back: one as data frames, or several side by side."""
