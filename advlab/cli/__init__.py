"""The command line, one file a verb; imports no torch until a run starts."""
