"""SSH servers of every generation, each with one key that it lets in as root."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.compat.roots import Root
from tests.lab.process import Daemon, wait_for
from tests.lab.sockets import accepts, free_port

SSHD: Final = "/usr/sbin/sshd"


class AnyServer:
    """A server program of a root. ``serving`` starts one of it; ``name`` has its version."""

    kind = ""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.directory = root.work / self.kind.lower()
        self.inside = root.inside / self.kind.lower()
        self.client_key = self.directory / "id"
        self.host_key = self.directory / "host_key"
        self.directory.mkdir()
        for key in (self.client_key, self.host_key):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        (self.directory / "authorized_keys").write_text(Path(f"{self.client_key}.pub").read_text())
        self.name = f"{self.kind} {self.version()}"

    def version(self) -> str:
        """Return the program's version."""
        raise NotImplementedError

    def command(self, port: int, lines: Sequence[str]) -> list[str]:
        """Return the command of the server; ``lines`` are more of its configuration."""
        raise NotImplementedError

    @contextmanager
    def serving(self, *lines: str) -> Iterator[int]:
        """Run the server while the block runs, and yield its port. ``lines`` are more of its configuration."""
        port = free_port()
        daemon = Daemon(self.root.command(*self.command(port, lines)), self.directory / "log")

        def listens() -> bool:
            if not daemon.alive():
                raise RuntimeError(f"{self.name} ended: {daemon.tail()}")
            return accepts(port)

        try:
            wait_for(listens, f"{self.name} listening")
            yield port
        finally:
            daemon.stop()

    def host_key_text(self) -> str:
        """Return the host's public key as known_hosts has it."""
        return " ".join(Path(f"{self.host_key}.pub").read_text().split()[:2])


class OpenSsh(AnyServer):
    """OpenSSH's sshd."""

    kind = "OpenSSH"

    def version(self) -> str:
        """Return the version that the client's program beside it, or sshd itself, prints."""
        # sshd 9.2 knows no -V and prints its version before it refuses the option.
        done = subprocess.run(self.root.command(SSHD, "-V"), check=False, capture_output=True, text=True)
        found = re.search(r"OpenSSH_([0-9.]+)", done.stdout + done.stderr)
        return found[1] if found is not None else "of an unknown version"

    def command(self, port: int, lines: Sequence[str]) -> list[str]:
        """Return sshd's command, and write its configuration."""
        own = [
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.inside}/host_key",
            f"AuthorizedKeysFile {self.inside}/authorized_keys",
            f"PidFile {self.inside}/pid",
            "UsePAM no",
            "StrictModes no",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
        ]
        (self.directory / "sshd_config").write_text("\n".join([*lines, *own, ""]))
        return [SSHD, "-D", "-e", "-f", f"{self.inside}/sshd_config"]

    def certify(self, authority: Path) -> str:
        """Have a new authority sign the host key for 127.0.0.1, and return the configuration's line for it."""
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(authority)], check=True)
        sign = [
            "ssh-keygen",
            "-q",
            "-s",
            str(authority),
            "-h",
            "-I",
            "compat",
            "-n",
            "127.0.0.1",
            f"{self.host_key}.pub",
        ]
        subprocess.run(sign, check=True)
        return f"HostCertificate {self.inside}/host_key-cert.pub"


class Dropbear(AnyServer):
    """dropbear, which has no configuration file: ``lines`` are options of its command line."""

    kind = "dropbear"

    def version(self) -> str:
        """Return the version that dropbear prints."""
        return self.root.output("dropbear", "-V").split()[1].removeprefix("v")

    def command(self, port: int, lines: Sequence[str]) -> list[str]:
        """Return dropbear's command, with the host key in its own format."""
        inner = f"{self.inside}/host_key"
        (self.directory / "host_key.dropbear").unlink(missing_ok=True)
        convert = ("/usr/bin/dropbearconvert", "openssh", "dropbear", inner, f"{inner}.dropbear")
        self.root.output(*convert)
        bound = ["-p", f"127.0.0.1:{port}", "-r", f"{inner}.dropbear", "-P", f"{self.inside}/pid"]
        return ["dropbear", "-F", "-E", "-s", *bound, "-D", str(self.inside), *lines]
