"""A user's own attack."""
