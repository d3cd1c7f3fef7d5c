"""Everything that is to be known about a GPU, in one command and eight minutes: `python -m benchmarks.gpu`.

No module here but the steps' own imports torch or advlab at its top: wheels may have to be installed first, and the process
that watches over the steps must not depend on what may hang.
"""
