"""Open set recognition: distances to the mean activations of classes, Weibull tails, OpenMax, and thresholds on softmax."""
