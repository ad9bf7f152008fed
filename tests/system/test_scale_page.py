"""docs/scale.md, word for word: workers of a zone under a real systemd, as their account, and a run over them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.lab.certificates import Authority
from tests.lab.simulated_fleet import simulated_fleet
from tests.lab.sockets import free_port
from tests.lab.systemd_pid1 import run_under_systemd

pytestmark = pytest.mark.lab

SEED = 1
"""Its boxes have no trouble."""

DOCS = Path(__file__).parents[2] / "docs"

DROP_IN = """[Unit]
DefaultDependencies=no
[Service]
StandardOutput=append:/share/log
StandardError=append:/share/log
"""

SCRIPT = """
# As in a virtual environment in /opt.
python3 -m venv --without-pip /opt/zone
printf '/source\\n/site\\n' > "$(echo /opt/zone/lib/python3.*/site-packages)/lab.pth"
printf '#!/opt/zone/bin/python\\nfrom fleetsweep.__main__ import main\\nmain()\\n' > /opt/zone/bin/fleetsweep
printf '#!/opt/zone/bin/python\\nfrom dask.__main__ import main\\nmain()\\n' > /opt/zone/bin/dask
chmod 755 /opt/zone/bin/*
PATH=/opt/zone/bin:$PATH
export XDG_STATE_HOME=/share/state
install -d /etc/fleetsweep
install -m 600 *.pem *.key /etc/fleetsweep
chmod 644 /etc/fleetsweep/*.pem
install -d -m 755 /var/lib/fleetsweep
{account}
install -m 600 -o fleetsweep -g fleetsweep /share/id /var/lib/fleetsweep/.ssh/id_ed25519
install -m 644 -o fleetsweep -g fleetsweep /share/known_hosts /var/lib/fleetsweep/.ssh/known_hosts
# There is no journal here, and the machine does not boot further than this script.
mkdir -p /etc/systemd/system/fleetsweep-zone-north@.service.d
cp log.conf /etc/systemd/system/fleetsweep-zone-north@.service.d/
{scheduler} > /share/log 2>&1 &
{workers}
{run} --format json > /share/report
systemctl stop fleetsweep-zone-north@1 fleetsweep-zone-north@2
kill %1
"""


def commands(page: str, heading: str) -> list[str]:
    """The indented blocks below a heading, each with its lines joined."""
    text = re.split(rf"^##+ {heading}\n", (DOCS / page).read_text(), flags=re.MULTILINE)[1]
    blocks = re.findall(r"(?:^    .*\n)+", re.split(r"^##", text, flags=re.MULTILINE)[0], re.MULTILINE)
    return [re.sub(r"\\\n\s+", "", re.sub(r"^    ", "", block, flags=re.MULTILINE)).strip() for block in blocks]


def test_the_page_leads_to_workers_of_a_zone_and_a_run_over_them(tmp_path: Path) -> None:
    port = free_port()
    authority = Authority.make(tmp_path)
    names = ("scheduler", "worker", "controller")
    pairs = [authority.sign(name, address=None if name == "controller" else "127.0.0.1") for name in names]
    account, scheduler, workers, run = (
        # There is neither a name service nor a free port of Dask's here.
        block.replace("dask.example.com", f"127.0.0.1:{port}").replace("--port 8786", f"--port {port}")
        for block in (*commands("schedule.md", "The account"), *commands("scale.md", "Start it"))
    )
    with simulated_fleet(4, seed=SEED) as fleet:
        inventory = re.sub(r".*private_key_file.*\n", "", fleet.inventory(zones=True).read_text())
        files = {
            "inventory.yml": inventory.replace("south", "north"),
            "log.conf": DROP_IN,
            "id": fleet.key.read_text(),
            "known_hosts": "".join(box.known_hosts_line for box in fleet.sshds),
            **{
                path.name: path.read_text()
                for path in (authority.certificate, *(each for pair in pairs for each in pair))
            },
        }
        script = SCRIPT.format(account=account, scheduler=scheduler, workers=workers, run=run)
        ended = run_under_systemd(script, files)
    assert ended.code == 0, ended.output + ended.files.get("log", "")
    rows = json.loads(ended.files["report"])["hosts"]
    assert [(row["host"], row["status"]) for row in rows] == [(box.name, "ok") for box in fleet.boxes]
    # Of the worker's key, and of what else the account needs.
    assert "warning" not in re.sub("useradd: warning.*", "", ended.output)
