"""Workers of a scheduler that others have started, joined over TLS."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import distributed

from advlab.cluster import Address
from advlab.errors import ConfigError


@contextlib.contextmanager
def connected(cluster: Address) -> Iterator[distributed.Client]:
    """A client of a scheduler that is there already.

    Raises:
        ConfigError: a certificate cannot be read, or nobody answers who shows one of its authority.
    """
    for name in ("ca_file", "cert_file", "key_file"):
        path = Path(getattr(cluster, name)).expanduser()
        if not os.access(path, os.R_OK):
            raise ConfigError(f"cluster.{name}={path}: there is no such file that can be read")
    paths = {name: str(Path(getattr(cluster, name)).expanduser()) for name in ("ca_file", "cert_file", "key_file")}
    security = distributed.Security(
        tls_ca_file=paths["ca_file"], tls_client_cert=paths["cert_file"], tls_client_key=paths["key_file"],
        require_encryption=True,
    )  # fmt: skip
    try:
        client = distributed.Client(cluster.address, security=security, set_as_default=False, timeout="30s")
    except (OSError, TimeoutError) as error:
        raise ConfigError(
            f"cluster.address={cluster.address}: no scheduler answers there with a certificate of {cluster.ca_file} ({error})"
        ) from error
    with client:
        yield client
