"""How a user's own code registers models, datasets, attacks, defenses and experiments."""
