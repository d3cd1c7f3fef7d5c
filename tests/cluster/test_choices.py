"""Who carries a run out: chosen on the command line, part of no digest and no archive."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from advlab.cluster import Address, Local
from advlab.cluster.job_queues import LSF, PBS, SGE, Slurm
from advlab.config.components import NoComponent
from advlab.config.compose import Composer
from advlab.config.settings import Settings
from advlab.engine.resumption import cluster_words
from advlab.errors import ConfigError
from tests.helpers.commands import Ended

JOINED = (
    "cluster.address=tls://host:8786",
    "cluster.ca_file=ca.pem",
    "cluster.cert_file=cert.pem",
    "cluster.key_file=key.pem",
)


def composed(*words: str, config_dir: Path | None = None) -> Settings:
    """The settings of one command line."""
    with Composer(None if config_dir is None else str(config_dir)) as composer:
        return composer.jobs(list(words), multirun=False)[0]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ((), NoComponent), (("cluster=none",), NoComponent), (("run.workers=3",), Local), (("cluster=local",), Local),
        (("cluster=slurm", "cluster.partition=gpu"), Slurm), (("cluster=pbs",), PBS), (("cluster=lsf",), LSF),
        (("cluster=sge",), SGE),
        (("cluster=address", *JOINED), Address),
    ],
)  # fmt: skip
def test_each_choice_composes_and_changes_nothing_that_is_measured(words: tuple[str, ...], kind: type) -> None:
    settings, plain = composed(*words), composed()
    assert type(settings.cluster) is kind
    assert settings.digest == plain.digest
    assert set(settings.nodes) == set(plain.nodes)
    assert "cluster" not in settings.nodes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run.workers=2", "cluster=slurm"), "run.workers=2: it is short for cluster=local, and a cluster is named"),
        (("cluster=slrum",), "there is no cluster 'slrum'. Did you mean slurm"),
        (("cluster=slurm", "cluster.queue=gpu"), "cluster.queue: there is no such key"),
        (("cluster=pbs", "cluster.queue=a b"), "cluster: queue must be one word"),
        (("cluster=sge", "cluster.cores=4"), "cluster: cores is 4: name the parallel environment, as in cluster.parallel=smp"),
        (("cluster=address",), "cluster: address must be tls://HOST:PORT, got ''"),
        (("cluster=address", "cluster.address=tcp://host:8786"), "cluster: address must be tls://HOST:PORT, got 'tcp"),
        (("cluster=address", *JOINED[:3]), "cluster: key_file is missing: type cluster.key_file=FILE.pem"),
        (("run.workers=-1",), "run: workers must be from 0 to 1024, got -1"),
        (("cluster.workers=3",), "cluster.workers: no cluster is chosen: type cluster=NAME beside it, or run.workers=N"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        composed(*words)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("key", ["address", "ca_file", "cert_file", "key_file"])
@pytest.mark.parametrize("how", ["plain", "interpolated"])
def test_no_yaml_file_says_which_scheduler_is_joined(key: str, how: str, tmp_path: Path) -> None:
    """What a scheduler sends is code."""
    (tmp_path / "cluster").mkdir()
    value = "x" if how == "plain" else "${dataset.name}"
    (tmp_path / "cluster/mine.yaml").write_text(f"name: address\n{key}: {value}\n")
    with pytest.raises(ConfigError, match=rf"sets cluster\.{key}: a YAML file must not say which scheduler is joined"):
        composed("cluster=mine", *(word for word in JOINED if f".{key}=" not in word), config_dir=tmp_path)


def test_a_laboratorys_own_file_may_name_partition_and_account(tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster/mine.yaml").write_text("name: slurm\npartition: gpu\naccount: lab\ngpus: 1\n")
    cluster = composed("cluster=mine", "cluster.workers=20", config_dir=tmp_path).cluster
    assert (cluster.partition, cluster.account, cluster.gpus, cluster.workers) == ("gpu", "lab", 1, 20)


def test_the_words_that_resume_choose_the_same_workers() -> None:
    for words in [("cluster=slurm", "cluster.workers=20", "cluster.partition=gpu"), ("run.workers=3",), ()]:
        cluster = composed(*words).cluster
        assert composed(*shlex.split(" ".join(cluster_words(cluster)))).cluster == cluster


def test_a_resumed_run_takes_workers_and_nothing_else(cli: Callable[..., Ended]) -> None:
    ended = cli("resume", "outputs/x", "run.seed=3")
    assert ended.code == 2
    assert "'run.seed=3': a run that is resumed keeps its configuration: only run.workers=N" in ended.err


def test_a_resumed_run_takes_a_laboratorys_own_file(cli: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster/mine.yaml").write_text("name: local\nworkers: 2\n")
    ended = cli("resume", "outputs/x", "--config-dir", str(tmp_path), "cluster=mine")
    assert "outputs/x is no run directory" in ended.err  # the choice is known
    assert "outputs/x is no run directory" not in cli("resume", "outputs/x", "cluster=mine").err


def test_a_resumed_run_that_is_not_named_is_all_that_is_missed(cli: Callable[..., Ended]) -> None:
    assert "the following arguments are required: RUN. usage" in cli("resume").err


def test_a_sweep_over_different_workers_is_refused_before_its_first_run(
    cli: Callable[..., Ended], tmp_path: Path
) -> None:
    ended = cli("-m", "experiment=hard_points", "run.workers=1,2", f"run.output_root={tmp_path / 'out'}")
    assert ended.code == 2
    assert "the runs of one sweep share their workers: give cluster, run.threads and run.device one value" in ended.err
    assert not list((tmp_path / "out").rglob("v001"))


def test_a_launchers_jobs_cannot_share_workers(cli: Callable[..., Ended]) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    ended = cli("-m", "experiment=hard_points", "run.seed=0,1", "run.workers=2", "hydra/launcher=joblib")
    assert ended.code == 2
    assert "its jobs are processes of their own, and cannot share workers" in ended.err
