"""Attacks: parameters in `zoo`, one interface in `attack`, one algorithm a file."""
