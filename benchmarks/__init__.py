"""Speed and quality against floors and peers, as ratios measured side by side in one run."""
