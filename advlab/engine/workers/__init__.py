"""One run on many workers by Dask: workers carry out stages and cells, the process that was started alone writes the run."""
