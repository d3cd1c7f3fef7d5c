"""One run: its setup, plan and measurement, what it writes, and how it ends."""
