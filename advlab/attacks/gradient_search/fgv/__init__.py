"""Fast gradient value."""
