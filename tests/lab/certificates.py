"""Certificates for TLS between fleetsweep and an engine, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority whose files are in ``directory``."""

    directory: Path
    name: str

    @classmethod
    def make(cls, directory: Path, name: str = "ca") -> Self:
        """Make an authority."""
        made = cls(directory, name)
        words = ["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        _openssl(*words, "-keyout", str(directory / f"{name}.key"), "-out", str(made.certificate))
        return made

    @property
    def certificate(self) -> Path:
        """The authority's own certificate."""
        return self.directory / f"{self.name}.pem"

    def sign(self, name: str, *, address: str | None = None) -> tuple[Path, Path]:
        """Return a new certificate and its key: a server's for an IP address, or a client's without one."""
        key, request, signed = (self.directory / f"{name}.{end}" for end in ("key", "csr", "pem"))
        _openssl(
            "req", "-newkey", "ed25519", "-nodes", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)
        )
        use = f"subjectAltName=IP:{address}\n" if address else "extendedKeyUsage=clientAuth\n"
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(use)
        authority = [
            "-CA",
            str(self.certificate),
            "-CAkey",
            str(self.directory / f"{self.name}.key"),
            "-CAcreateserial",
        ]
        words = ["x509", "-req", "-in", str(request), *authority, "-days", "2", "-extfile", str(extensions)]
        _openssl(*words, "-out", str(signed))
        return signed, key


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
