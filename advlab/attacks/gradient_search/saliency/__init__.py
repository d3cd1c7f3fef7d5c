"""The signed gradient of one logit."""
