"""Hot/Cold."""
