"""What defenses do to tensors."""
