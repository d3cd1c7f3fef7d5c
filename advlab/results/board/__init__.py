"""The claims board: what each statement of a paper is worth on each network, from the claims of finished runs."""
