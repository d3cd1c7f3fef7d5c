"""What only the figures of the surveys draw."""
