"""DeepFool and its refinement along the boundary."""
