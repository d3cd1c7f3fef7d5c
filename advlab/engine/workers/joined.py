"""Workers of a scheduler that others have started, joined over TLS."""

from __future__ import annotations

import contextlib
import os
import ssl
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
    paths = {name: str(Path(getattr(cluster, name)).expanduser()) for name in ("ca_file", "cert_file", "key_file")}
    check_certificates(**paths)
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


def check_certificates(ca_file: str, cert_file: str, key_file: str) -> None:
    """Refuse files that hold no certificate or no key, before anybody is asked.

    Raises:
        ConfigError: names the key of the configuration and the file.
    """
    for name, path in {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}.items():
        if not (os.path.isfile(path) and os.access(path, os.R_OK)):
            raise ConfigError(f"cluster.{name}={path}: there is no such file that can be read")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError as error:
        raise ConfigError(f"cluster.ca_file={ca_file}: it holds no certificate in PEM format") from error
    try:
        context.load_cert_chain(cert_file, key_file, password="")  # asks for none at the terminal
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"cluster.cert_file={cert_file} and cluster.key_file={key_file}: they are no certificate and its key, both in PEM "
            "format, the key without a password"
        ) from error
