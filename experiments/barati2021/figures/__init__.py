"""What only the figures of barati2021 draw."""
