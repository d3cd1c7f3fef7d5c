"""Who carries a run out beside this process: the choices of `cluster=`. Imports neither torch nor Dask."""

from advlab.cluster.address import Address
from advlab.cluster.base import Cluster
from advlab.cluster.job_queues import JobQueue
from advlab.cluster.local import Local

__all__ = ["Address", "Cluster", "JobQueue", "Local"]
