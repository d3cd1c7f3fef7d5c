"""What only the figures of jetley2018 draw."""
