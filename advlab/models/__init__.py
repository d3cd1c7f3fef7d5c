"""Networks behind one wrapper: images in [0, 1] in, logits and features out."""
