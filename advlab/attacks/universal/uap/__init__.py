"""Universal adversarial perturbations."""
