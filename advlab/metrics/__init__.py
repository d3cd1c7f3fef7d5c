"""Numbers with intervals: what a claim is checked with."""
