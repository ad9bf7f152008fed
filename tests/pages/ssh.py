"""docs/ssh.md: its recipes, typed on a lab's box and on a bare Debian that fleetsweep runs on."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.lab import Lab
from tests.lab.private_box import PrivateBox
from tests.lab.process import wait_for
from tests.lab.sockets import accepts
from tests.lab.systemd_pid1 import run_under_systemd
from tests.pages.bare import Bare, Pasted
from tests.pages.blocks import blocks, indented

PAGE: Final = "docs/ssh.md"
KEY: Final = "ssh-ed25519 AAAA…"
"""What the page writes for the controller's public key."""

NOT_PASTED: Final = {
    "apt-get install -y haproxy": "the gate: tests/system/test_gate_page.py types it on a real box",
    "fleetsweep gate haproxy > gate.cfg": "the gate, as above",
    "[Unit]": "the gate, as above",
    "ExecStart=/usr/sbin/nginx": "the gate, as above",
    "echo 'restrict,port-forwarding,permitopen=\"[/run/fleetsweep/": "the gate, as above",
    "Match User sweeper": "the gate, as above",
    "fleetsweep_engine: unix:///run/fleetsweep/": "the gate, as above",
    'restrict,command="env CONTAINER_HOST=': "a line for Podman: tests/system/test_engine_routes.py logs in with it",
}
"""The blocks of the page that are not typed here, by how they begin, and why."""

CONTROLLER: Final = "apt-get install -y -qq --no-install-recommends openssh-client"
INVENTORY: Final = "all:\n  hosts:\n    runner-1.example.com:\n"

STREAM: Final = "restrict,port-forwarding,permitopen="
COMMAND: Final = "restrict,command="

Expect = Callable[..., None]


class SshLab(Lab):
    """A box and a bastion, each with accounts and settings of its own."""

    def make_box(self, name: str, directory: Path) -> PrivateBox:
        """Return a box."""
        return PrivateBox(name, directory, self.client_key)


class SshPage:
    """The page's blocks, where they are typed, and which of them were."""

    def __init__(self, made: Bare, lab: Lab, expect: Expect) -> None:
        self._made = made
        self._expect = expect
        self._blocks = indented(PAGE)
        self._typed: set[str] = set()
        box, bastion = lab.boxes
        assert isinstance(box, PrivateBox)
        assert isinstance(bastion, PrivateBox)
        self.box, self.bastion = box, bastion
        self._public = ""

    def block(self, start: str) -> str:
        """Return the one block that begins so."""
        (found,) = [each for each in self._blocks if each.startswith(start)]
        self._typed.add(found)
        return found

    def with_key(self, text: str) -> str:
        """Return a text of the page with the controller's public key."""
        return text.replace(KEY, self._public)

    def on_box(self, what: str, commands: str, box: PrivateBox | None = None) -> None:
        """Type commands on the box as root."""
        done = (box or self.box).type(self.with_key(commands))
        self._expect(f"{PAGE}: {what}", Pasted(done.returncode, done.stdout))

    def here(self, what: str, commands: str, holds: Callable[[str], bool] = bool) -> None:
        """Paste commands where fleetsweep runs."""
        self._expect(f"{PAGE}: {what}", self._made.paste(commands), holds=holds)

    def reaches(self, what: str, via: str, options: str = "--known-hosts known_hosts") -> None:
        """Look that doctor reaches the box by this route."""
        command = f"fleetsweep doctor -i inventory.yml {options} --format json"
        self.here(f"{what}: reached by {via}", command, lambda text: f'"via": "{via}"' in text)

    def try_all(self) -> None:
        """Follow the page from its top to its end."""
        self._made.paste("ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/sweeper && cp ~/.ssh/sweeper ~/.ssh/ops")
        self._public = self._made.paste("cut -d' ' -f1,2 ~/.ssh/sweeper.pub").printed.strip()
        self._made.write("/root/inventory.yml", INVENTORY)
        self._configure("Host *\n  User sweeper\n  IdentityFile ~/.ssh/sweeper\n")
        self.on_box("the account", self.block("useradd -m -s"))
        self.on_box("recipe 1, a stream to the socket", self._recipe(STREAM))
        self.here("learn the keys of a fleet", self.block("fleetsweep doctor -i"), lambda text: "ok" in text)
        self.reaches("recipe 1", "streamlocal")
        # As the page demands of a recipe with a command.
        self.on_box("recipe 2, one command", f"usermod -s /bin/sh sweeper\n{self._recipe(COMMAND)}")
        self.reaches("recipe 2", "dial-stdio")
        alone = f"gpasswd -d sweeper docker\necho 'restrict {KEY}' > ~sweeper/.ssh/authorized_keys\n"
        self.on_box("recipe 4, by sudo only", alone + self.block("usermod -s /bin/sh"))
        self._made.write("/root/inventory.yml", f"{INVENTORY}      ansible_become: true\n")
        self.reaches("recipe 4", "sudo dial-stdio")
        self._made.write("/root/inventory.yml", INVENTORY)
        self.on_box("recipe 1 again", f"rm /etc/sudoers.d/fleetsweep\n{self._recipe(STREAM)}")
        self._podman_under_systemd()
        self._certificates()
        self._bastions()
        for block in self._blocks:
            if block not in self._typed and not block.startswith(tuple(NOT_PASTED)):
                self._expect(f"{PAGE}: nothing types this block", Pasted(1, block))

    def _recipe(self, options: str) -> str:
        return self.block(f"usermod -aG docker sweeper\necho '{options}")

    def _configure(self, text: str) -> None:
        hosts = (
            f"Host runner-1.example.com\n  HostName 127.0.0.1\n  Port {self.box.port}\n"
            "  HostKeyAlias runner-1.example.com\n"
            f"Host bastion.example.net\n  HostName 127.0.0.1\n  Port {self.bastion.port}\n"
            "  HostKeyAlias bastion.example.net\n  IdentityFile ~/.ssh/ops\n"
        )
        self._made.write("/root/.ssh/config", hosts + text)

    def _podman_under_systemd(self) -> None:
        """Recipe 5, on a machine that systemd has booted."""
        opens = "import socket; socket.socket(socket.AF_UNIX).connect('/run/podman/podman.sock')"
        script = "\n".join(
            [
                self.block("useradd -m -s"),
                self.block("mkdir -p /etc/systemd/system/podman.socket.d"),
                "stat -c '%G %a' /run/podman/podman.sock",
                f'su -s /bin/sh sweeper -c "python3 -c \\"{opens}\\" && echo opened"',
            ]
        )
        ended = run_under_systemd(script, {})
        self._expect(
            f"{PAGE}: recipe 5, Podman, under a real systemd",
            Pasted(ended.code, ended.output),
            holds=lambda text: "podman 660" in text and "\nopened" in text,
        )

    def _certificates(self) -> None:
        made, box = self._made, self.box
        made.write("/root/ssh_host_ed25519_key.pub", (box.directory / "host_key.pub").read_text())
        made.paste("ssh-keygen -q -t ed25519 -N '' -f ca; rm known_hosts")
        self.here("host certificates: sign, and trust the authority", self.block("ssh-keygen -s ca"))
        certificate = made.paste("cat ssh_host_ed25519_key-cert.pub").printed
        (box.directory / "host_key-cert.pub").write_text(certificate)
        config = box.directory / "sshd_config"
        config.write_text(f"HostCertificate {box.directory}/host_key-cert.pub\n{config.read_text()}")
        # A restart would lose what was typed on the box.
        os.kill(int((box.directory / "sshd.pid").read_text()), signal.SIGHUP)
        wait_for(lambda: accepts(box.port), "sshd listening again")
        self.here("no line of the box in known_hosts", "test $(wc -l < known_hosts) = 1")
        self.reaches("host certificates", "streamlocal")

    def _bastions(self) -> None:
        account = self.block("useradd -m -s").replace("sweeper", "ops")
        # "A key on it needs only restrict,port-forwarding."
        key = f"echo 'restrict,port-forwarding {KEY}' > ~ops/.ssh/authorized_keys"
        self.on_box("a bastion's account", f"{account}{key}", self.bastion)
        self._configure(self.block("Host runner-*"))
        learn = self.block("fleetsweep doctor -i").splitlines()[0]
        self.here("bastions: learn its key", learn, lambda text: "bastion" in text)
        self.reaches("bastions", "streamlocal")
        log = self.bastion.sshd_log
        self._expect(
            f"{PAGE}: bastions: the connection went through it",
            Pasted(0, log),
            holds=lambda text: re.search(r"Accepted publickey for ops\b", text) is not None,
        )


@contextmanager
def ssh_page(made: Bare, expect: Expect) -> Iterator[SshPage]:
    """Yield the page with a box and a bastion, and a bare system that has fleetsweep and an OpenSSH client."""
    with SshLab(2) as lab:
        expect(f"{PAGE}: the OpenSSH client", made.paste(CONTROLLER))
        *_, pip = blocks("README.md", "Install")
        expect(f"{PAGE}: README, install with pip", made.paste(pip, where="/root/checkout"))
        yield SshPage(made, lab, expect)
