"""What a user sees of every command, kept before a change of structure and compared after it."""
