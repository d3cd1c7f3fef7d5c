"""Fast gradient sign."""
