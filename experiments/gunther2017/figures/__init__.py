"""What only the figures of gunther2017 draw."""
