"""Box-constrained L-BFGS."""
