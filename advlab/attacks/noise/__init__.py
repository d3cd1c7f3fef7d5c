"""Random directions: the control of every attack."""
