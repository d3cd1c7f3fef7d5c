"""`cluster=address`: a scheduler of Dask that is there already, such as one on Kubernetes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from advlab.cluster.base import Cluster
from advlab.errors import ArgumentError


@dataclass(frozen=True, kw_only=True)
class Address(Cluster):
    """The workers of a scheduler of Dask that others have started, over TLS.

    What a scheduler sends is code: these keys are typed, and no YAML file may set them.
    """

    address: str = ""  # tls://HOST:PORT
    ca_file: str = ""  # certificate of the authority that has signed those of scheduler and workers
    cert_file: str = ""  # the client's certificate
    key_file: str = ""  # its key

    def check(self) -> None:
        """Refuse an address without TLS, and missing files.

        Raises:
            ArgumentError: names the field.
        """
        if not re.fullmatch(r"tls://[A-Za-z0-9_.:\[\]-]+:[0-9]{1,5}", self.address):
            raise ArgumentError(
                f"address must be tls://HOST:PORT, got {self.address!r}: what workers send is code, and no scheduler is "
                "joined without certificates: type cluster.address=tls://HOST:8786 and start it with dask scheduler --tls-cert ..."
            )
        for name in ("ca_file", "cert_file", "key_file"):
            if not getattr(self, name):
                raise ArgumentError(f"{name} is missing: type cluster.{name}=FILE.pem")
