"""Numbers about images, scores and distances: Mantel's test, SSIM, PASS, objectives."""
