"""Classifiers that are no networks: polynomials on [0, 1] with the largest margin, and the points that train them."""
