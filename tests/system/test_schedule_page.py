"""docs/schedule.md and docs/alerts.md, word for word, under a real systemd and as the account that they create."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.lab import Lab, Spec
from tests.lab.systemd_pid1 import run_under_systemd

pytestmark = pytest.mark.lab

DOCS = Path(__file__).parents[2] / "docs"


def commands(page: str, heading: str) -> list[str]:
    """The commands of the first indented block below a heading."""
    text = (DOCS / page).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    block = re.search(r"(?:^    .*\n)+", text, re.MULTILINE)
    assert block is not None, heading
    return re.sub(r"\\\n\s+", "", re.sub(r"^    ", "", block[0], flags=re.MULTILINE)).splitlines()


SCRIPT = """
trap 'systemctl show -p Result,ExecMainStatus fleetsweep-sweep.service' ERR
mkdir -p /etc/fleetsweep /srv
# A run of root on this machine may have left its own.
rm -rf /var/lib/fleetsweep
# Debian's package prometheus-node-exporter has this directory, which belongs to root.
install -d -m 755 -o root -g root /var/lib/prometheus/node-exporter
cp inventory.yml /etc/fleetsweep/
# There is no journal here.
for unit in fleetsweep-sweep fleetsweep-sweep-east; do
    mkdir -p /etc/systemd/system/$unit.service.d
    cp log.conf /etc/systemd/system/$unit.service.d/
done
cd /etc/fleetsweep
{account}
install -m 600 -o fleetsweep -g fleetsweep /share/key /var/lib/fleetsweep/.ssh/id_ed25519
install -m 644 -o fleetsweep -g fleetsweep /share/known_hosts /var/lib/fleetsweep/.ssh/known_hosts
{schedule}
systemctl show -p Result,ExecMainStatus fleetsweep-sweep.service > /share/first
systemctl is-active fleetsweep-sweep.timer
{alerts}
systemctl daemon-reload
systemctl start fleetsweep-sweep.service
systemctl show -p Result,ExecMainStatus fleetsweep-sweep.service > /share/second
cp /var/lib/prometheus/node-exporter/fleetsweep-sweep.prom /share/metrics
stat -c '%U %a' /var/lib/fleetsweep /var/lib/prometheus/node-exporter/fleetsweep-sweep.prom > /share/owners
su -s /bin/sh fleetsweep -c '/opt/fleetsweep/bin/fleetsweep history --state-dir /var/lib/fleetsweep' > /share/history
cp inventory.yml east.yml
{several}
systemctl daemon-reload
systemctl start fleetsweep-sweep-east.service
systemctl show -p Result,ExecMainStatus fleetsweep-sweep-east.service > /share/east
cp /var/lib/prometheus/node-exporter/fleetsweep-sweep-east.prom /share/east_metrics
# Monitoring that can't be written turns 0 into 3, and the sweep is done all the same.
chmod 755 /var/lib/prometheus/node-exporter
systemctl start fleetsweep-sweep.service || true
systemctl show -p Result,ExecMainStatus fleetsweep-sweep.service > /share/third
"""


def test_the_pages_lead_to_a_timer_that_sweeps_as_its_account_and_writes_metrics(lab: Lab) -> None:
    for box in lab.boxes:
        box.seed([Spec("ws-old", age=timedelta(days=2)), Spec("db", image="postgres:16", age=timedelta(days=2))])
    script = SCRIPT.format(
        account="\n".join(commands("schedule.md", "The account")),
        schedule="\n".join(commands("schedule.md", "systemd")),
        several="\n".join(commands("alerts.md", "Several schedules on one machine")),
        alerts="\n".join(line for line in commands("alerts.md", "Prometheus") if not line.startswith("pip ")),
    )
    files = {
        # Without the line that names the lab's own key: the account has its own.
        "inventory.yml": re.sub(r".*private_key_file.*\n", "", lab.inventory.read_text()),
        "key": lab.client_key.read_text(),
        "log.conf": "[Service]\nStandardOutput=append:/share/log\nStandardError=append:/share/log\n",
        "known_hosts": lab.known_hosts.read_text(),
    }
    ended = run_under_systemd(script, files)
    assert ended.code == 0, ended.output + ended.files.get("log", "")
    assert ended.files["first"].split() == ["Result=success", "ExecMainStatus=0"], ended.output
    assert ended.files["second"].split() == ["Result=success", "ExecMainStatus=0"]
    assert ended.files["third"].split() == ["Result=exit-code", "ExecMainStatus=3"]
    assert [box.names() for box in lab.boxes] == [{"db"}] * 3
    assert ended.files["east"].split() == ["Result=success", "ExecMainStatus=0"]
    assert 'fleetsweep_run_exit_code{command="sweep"} 0.0' in ended.files["metrics"]
    assert 'fleetsweep_run_exit_code{command="sweep",schedule="east"} 0.0' in ended.files["east_metrics"]
    assert ended.files["owners"].splitlines() == ["fleetsweep 700", "fleetsweep 644"]
    assert ended.files["history"].count("sweep") >= 2
    assert "warning" not in ended.output
