"""The unit of a zone's workers."""

from __future__ import annotations

import sys

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.schedule import ZoneWorker, render_zone_worker
from tests.lab.systemd import words

TLS = ("/etc/fleetsweep/ca.pem", "/etc/fleetsweep/a b.pem", "/etc/fleetsweep/key.pem")
WORKER = ZoneWorker("north", "tls://dask.example.com:8786", "fleetsweep", TLS)


def test_the_unit_starts_a_worker_that_offers_its_zone_and_has_no_rights() -> None:
    file = render_zone_worker(WORKER)
    assert file.name == "fleetsweep-zone-north@.service"
    (line,) = [line for line in file.text.splitlines() if line.startswith("ExecStart=")]
    command = words(line.removeprefix("ExecStart=").partition(" --name ")[0])
    assert command == list(WORKER.command)
    assert "fleetsweep-zone.north=16" in command
    assert line.endswith(" --name %H-north-%i --local-directory /var/lib/fleetsweep/zone-north-%i")
    for setting in (
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "UMask=0077",
        "LimitNOFILE=20000",
        "WantedBy=multi-user.target",
    ):
        assert f"\n{setting}\n" in f"{file.text}\n"


def test_what_the_account_needs_is_the_program_its_key_and_certificates() -> None:
    needs = WORKER.needs
    assert (needs.program, needs.reads) == ((sys.executable, "-m", "distributed.cli.dask_worker"), TLS)
    assert needs.default_keys
    assert needs.default_known_hosts


@pytest.mark.parametrize(
    "worker",
    [
        ZoneWorker("north", "tls://a:1", "root; true", TLS),
        ZoneWorker("north", "tls://a:1", "fleetsweep", ("/a\nUser=root", "b", "c")),
    ],
)
def test_a_value_that_would_be_another_line_is_refused(worker: ZoneWorker) -> None:
    with pytest.raises(UsageError):
        render_zone_worker(worker)
