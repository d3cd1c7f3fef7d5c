"""Claims with their verdicts, confidence intervals and rank correlation."""
