"""What a notebook or a script calls in place of the command line: `advlab.run` and `advlab.sweep`."""
