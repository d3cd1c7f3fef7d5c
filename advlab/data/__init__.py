"""Datasets: one contract over embedded, downloaded and folder data."""
