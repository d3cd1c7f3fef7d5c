"""Nobody gets in: only who shows a certificate of this run, and for local workers only from this machine."""

from __future__ import annotations

import socket
import ssl
import stat
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import distributed
import pytest
from distributed.deploy.spec import SpecCluster

from advlab.cluster import Address, Local
from advlab.config.run_options import RunParams
from advlab.engine.workers.keys import key_folder
from advlab.engine.workers.start import started
from advlab.errors import ConfigError
from advlab.store.locks import locked


def refused(address: str, security: distributed.Security | None) -> None:
    """Nothing can be asked of a scheduler."""
    with pytest.raises((OSError, ssl.SSLError, TimeoutError)):
        distributed.Client(address, security=security, timeout="3s", set_as_default=False)


def test_a_scheduler_takes_this_runs_certificate_alone() -> None:
    with started(Local(workers=1), RunParams(device="cpu")) as workers:
        address = str(workers.client.scheduler_info()["address"])
        assert address.startswith("tls://127.0.0.1:")
        (worker,) = workers.alive()
        assert worker.startswith("tls://127.0.0.1:")
        refused(address, distributed.Security.temporary())
        refused(address.replace("tls://", "tcp://"), None)
        authority = workers.client.security.tls_ca_file
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=authority)
        host, port = address.removeprefix("tls://").split(":")
        with (
            pytest.raises(ssl.SSLError, match="certificate required"),
            socket.create_connection((host, int(port))) as bare,
        ):
            context.wrap_socket(bare).recv(1)  # shows none of its own
        refused(worker, distributed.Security.temporary())
        assert workers.client.submit(abs, -3).result() == 3  # nothing of it has harmed the run


def http_port() -> int:
    """Of the server that asks for no certificate."""
    server: Any = distributed.get_worker().http_server
    assert server.address == "127.0.0.1"
    return int(server.port)


def test_the_server_without_certificates_listens_here_alone_and_says_nothing() -> None:
    """Dask starts it with each scheduler and worker, also without a dashboard."""
    with started(Local(workers=1), RunParams(device="cpu")) as workers:
        client: Any = workers.client
        scheduler = client.cluster.scheduler.http_server
        assert scheduler.address == "127.0.0.1"
        for port in (scheduler.port, client.submit(http_port).result()):
            for page in ("info/main/workers.html", "json/identity.json", "metrics", "health", "status"):
                with pytest.raises(urllib.error.HTTPError, match="404"):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5)


def test_from_another_interface_nobody_answers() -> None:
    with started(Local(workers=1), RunParams(device="cpu")) as workers:
        port = int(str(workers.client.scheduler_info()["address"]).rpartition(":")[2])
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; tells the address of the interface that leads away
            own = probe.getsockname()[0]
        except OSError:
            pytest.skip("this machine has no other interface")
        finally:
            probe.close()
        if own.startswith("127."):
            pytest.skip("this machine has no other interface")
        with pytest.raises(OSError):
            socket.create_connection((own, port), timeout=3)


def test_keys_are_the_users_alone_and_gone_afterwards(tmp_path: Path) -> None:
    with key_folder(tmp_path) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        (folder / "key.pem").write_text("secret")
        with key_folder(tmp_path):  # of another run, which leaves those of the living alone
            assert (folder / "key.pem").exists()
    assert not folder.exists()


def test_keys_of_a_process_that_was_killed_are_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".workers/keys-abandoned"
    left.mkdir(parents=True)
    (left / "key.pem").write_text("secret")
    with locked(left / "lock", wait=False), key_folder(tmp_path):
        assert left.exists()  # its process lives
    with key_folder(tmp_path):
        assert not left.exists()


@pytest.fixture
def authority(tmp_path: Path) -> dict[str, Any]:
    """The files of a scheduler that others have started."""
    security = distributed.Security.temporary()
    names = {"ca_file": "tls_ca_file", "cert_file": "tls_client_cert", "key_file": "tls_client_key"}
    for name, field in names.items():
        (tmp_path / f"{name}.pem").write_text(getattr(security, field))
    return {name: str(tmp_path / f"{name}.pem") for name in names}


def test_a_scheduler_that_is_there_is_joined_with_its_certificates(authority: dict[str, Any]) -> None:
    files = {
        f"tls_{role}_{kind}": authority[f"{kind}_file"]
        for role in ("scheduler", "worker", "client")
        for kind in ("cert", "key")
    }
    security = distributed.Security(tls_ca_file=authority["ca_file"], require_encryption=True, **files)
    options = {"host": "127.0.0.1", "protocol": "tls", "security": security, "dashboard": False}
    scheduler = {"cls": distributed.Scheduler, "options": {**options, "dashboard_address": None}}
    nodes = {0: {"cls": distributed.Worker, "options": {**options, "nthreads": 1}}}
    with SpecCluster(nodes, scheduler, security=security) as others:
        cluster = Address(address=others.scheduler_address, **authority)
        with started(cluster, RunParams()) as workers:
            assert len(workers.alive()) == 1
            assert workers.client.submit(abs, -3).result() == 3
        Path(authority["ca_file"]).write_text(distributed.Security.temporary().tls_ca_file)
        with (
            pytest.raises(ConfigError, match="no scheduler answers there with a certificate"),
            started(cluster, RunParams()),
        ):
            pass


def test_a_certificate_that_is_missing_is_named(authority: dict[str, Any]) -> None:
    cluster = Address(address="tls://127.0.0.1:1", **{**authority, "key_file": "nowhere.pem"})
    with (
        pytest.raises(ConfigError, match=r"cluster.key_file=nowhere.pem: there is no such file"),
        started(cluster, RunParams()),
    ):
        pass


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"ca_file": "text"}, r"cluster.ca_file=.*text: it holds no certificate in PEM format"),
        ({"ca_file": "."}, r"cluster.ca_file=.*: there is no such file that can be read"),
        (
            {"cert_file": "text"},
            r"cluster.cert_file=.*text and cluster.key_file=.*: they are no certificate and its key",
        ),
        ({"key_file": "other"}, r"cluster.key_file=.*other: they are no certificate and its key"),
    ],
)
def test_files_without_certificate_or_key_are_named_before_anybody_is_asked(
    authority: dict[str, Any], tmp_path: Path, broken: dict[str, str], message: str
) -> None:
    (tmp_path / "text").write_text("no certificate")
    (tmp_path / "other").write_text(distributed.Security.temporary().tls_client_key)
    changed = {name: str(tmp_path / file) for name, file in broken.items()}
    with (
        pytest.raises(ConfigError, match=message),
        started(Address(address="tls://127.0.0.1:1", **{**authority, **changed}), RunParams()),
    ):
        pass
