"""parallel-ssh running the peers' script on every host: ``KEY PORT FORKS DIRECTORY SCRIPT HOST...``."""

from __future__ import annotations

import sys
from pathlib import Path

from pssh.clients import ParallelSSHClient  # type: ignore[import-not-found,unused-ignore]

KEY, PORT, FORKS, DIRECTORY, SCRIPT, *HOSTS = sys.argv[1:]
client = ParallelSSHClient(
    ["127.0.0.1"] * len(HOSTS), user="root", port=int(PORT), pkey=KEY, pool_size=int(FORKS), allow_agent=False
)
commands = [f"ENGINE={DIRECTORY}/{host}.sock\n{Path(SCRIPT).read_text()}" for host in HOSTS]
for output in client.run_command("%s", host_args=commands):
    for line in output.stdout:
        print(line)
