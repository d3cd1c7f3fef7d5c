"""`cluster=slurm|pbs|lsf|sge`: each worker is a job of a batch system, by way of dask-jobqueue.

No parameter holds lines of a script: each is a number or one word, so that a YAML file of a stranger cannot run code.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Gt, Interval, Lt

from advlab.cluster.base import Cluster, check_words
from advlab.errors import ArgumentError

DAY = 86400.0


@dataclass(frozen=True, kw_only=True)
class JobQueue(Cluster, ABC):
    """Jobs of a batch system, one worker each; a job that is lost is asked for again."""

    workers: Annotated[int, Interval(ge=1, le=10_000)] = 1  # jobs
    cores: Annotated[int, Interval(ge=1, le=1024)] = 1  # of a job, and threads of its worker unless run.threads says so
    memory: str = "4GB"  # of a job
    walltime: str = (
        "01:00:00"  # of a job, hours:minutes:seconds; what is under way when it ends is done again elsewhere
    )
    gpus: Annotated[int, Interval(ge=0, le=1)] = 0  # of a job
    interface: str = ""  # of the network, over which workers reach this process (`ip address` lists them); empty: any
    #: seconds without any worker, jobs that wait in the queue among them, after which the run ends
    patience: Annotated[float, Gt(0), Lt(math.inf)] = DAY

    class_name: ClassVar[str]  # of dask-jobqueue
    words: ClassVar[tuple[str, ...]] = ("interface",)

    def __post_init__(self) -> None:
        """Refuse what is no word, no memory and no time.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        check_words(self, *self.words)
        if not re.fullmatch(r"[1-9][0-9]{0,6}(\.[0-9]+)? ?[MG]i?B", self.memory):
            raise ArgumentError(f"memory must be a number with MB or GB, as in 4GB, got {self.memory!r}")
        if not re.fullmatch(r"([0-9]{1,3}-)?[0-9]{1,3}:[0-5][0-9](:[0-5][0-9])?", self.walltime):
            raise ArgumentError(f"walltime must be hours:minutes:seconds, as in 08:00:00, got {self.walltime!r}")

    @property
    def wanted(self) -> int:
        """How many workers are asked for."""
        return self.workers

    @abstractmethod
    def options(self) -> Mapping[str, Any]:
        """Those of dask-jobqueue that are this batch system's own."""


def given(**options: Any) -> dict[str, Any]:
    """The options that are not empty."""
    return {name: value for name, value in options.items() if value}


@dataclass(frozen=True, kw_only=True)
class Slurm(JobQueue):
    """Jobs of Slurm."""

    partition: str = ""  # empty: the cluster's default
    account: str = ""
    qos: str = ""
    constraint: str = ""  # features of nodes, as --constraint takes them

    class_name = "SLURMCluster"
    words = ("interface", "partition", "account", "qos", "constraint")

    def options(self) -> Mapping[str, Any]:
        """Queue, account and lines of `#SBATCH`; a job that is preempted is queued again."""
        lines = [
            *([f"--qos={self.qos}"] if self.qos else []), *([f"--constraint={self.constraint}"] if self.constraint else []),
            *([f"--gpus={self.gpus}"] if self.gpus else []), "--requeue", "--open-mode=append",
        ]  # fmt: skip
        return given(queue=self.partition, account=self.account, job_extra_directives=lines)


@dataclass(frozen=True, kw_only=True)
class PBS(JobQueue):
    """Jobs of PBS or Torque."""

    queue: str = ""  # empty: the cluster's default
    account: str = ""

    class_name = "PBSCluster"
    words = ("interface", "queue", "account")

    def options(self) -> Mapping[str, Any]:
        """Queue, account and the resources of a job."""
        memory = self.memory.replace(" ", "").replace("iB", "B").lower()
        chunk = f"select=1:ncpus={self.cores}:mem={memory}" + (f":ngpus={self.gpus}" if self.gpus else "")
        return given(queue=self.queue, account=self.account, resource_spec=chunk)


@dataclass(frozen=True, kw_only=True)
class LSF(JobQueue):
    """Jobs of LSF."""

    queue: str = ""  # empty: the cluster's default
    project: str = ""

    class_name = "LSFCluster"
    words = ("interface", "queue", "project")

    def options(self) -> Mapping[str, Any]:
        """Queue, project and lines of `#BSUB`; a job that is lost is queued again."""
        lines = ["-r", *([f'-gpu "num={self.gpus}"'] if self.gpus else [])]
        return given(queue=self.queue, project=self.project, ncpus=self.cores, job_extra_directives=lines)


@dataclass(frozen=True, kw_only=True)
class SGE(JobQueue):
    """Jobs of the Grid Engine."""

    queue: str = ""  # empty: the cluster's default
    project: str = ""
    parallel: str = ""  # the parallel environment that gives a job several cores on one node; needed for cores above 1

    class_name = "SGECluster"
    words = ("interface", "queue", "project", "parallel")

    def __post_init__(self) -> None:
        """Refuse several cores without the environment that gives them.

        Raises:
            ArgumentError: names both fields.
        """
        super().__post_init__()
        if self.cores > 1 and not self.parallel:
            raise ArgumentError(f"cores is {self.cores}: name the parallel environment, as in cluster.parallel=smp")

    def options(self) -> Mapping[str, Any]:
        """Queue, project and lines of `#$`; a job that is lost is queued again."""
        lines = ["-r y", *([f"-pe {self.parallel} {self.cores}"] if self.cores > 1 else [])]
        resources = f"gpu={self.gpus}" if self.gpus else ""
        return given(queue=self.queue, project=self.project, resource_spec=resources, job_extra_directives=lines)
