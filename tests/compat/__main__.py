"""``make compat``: try each engine and each SSH server, and print what held.

``python -m tests.compat [--write]`` makes the chroots that are missing. ``--write`` updates the tables in
docs/engines.md. The exit code is 1 if a check failed.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from tests.compat import engine_checks, server_checks
from tests.compat.checks import Cell, cell_of
from tests.compat.engines import AnyEngine, Docker, DockerContainerd, DockerOfNewClients, Podman
from tests.compat.releases import CompatUnavailable
from tests.compat.roots import OWN, Root, open_root
from tests.compat.servers import AnyServer, Dropbear, OpenSsh

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"

RELEASES = (OWN, "trixie", "sid")
Row = tuple[str, tuple[Cell, ...]]


def engine_row(engine: AnyEngine) -> Row:
    """Return an engine's row: each check on an empty engine."""
    for image in (engine_checks.TEMPLATE, engine_checks.OTHER):
        engine.import_image(image, image)
    cells = []
    for check in engine_checks.CHECKS.values():
        cells.append(cell_of(functools.partial(check, engine)))
        engine.clear()
    oldest, newest = engine.api_versions()
    return _shown(f"{engine.name} (API {oldest} to {newest})", cells)


def server_row(server: AnyServer, engine: AnyEngine) -> Row:
    """Return a server's row, with an engine behind it."""
    checks = server_checks.CHECKS.values()
    return _shown(server.name, [cell_of(functools.partial(check, server, engine)) for check in checks])


def _shown(name: str, cells: list[Cell]) -> Row:
    """Return a row, and print it on stderr: a whole run takes minutes."""
    print(f"{name}: {', '.join(cell.text for cell in cells)}", file=sys.stderr, flush=True)
    return name, tuple(cells)


def rows_of(root: Root) -> tuple[list[Row], list[Row]]:
    """Return the rows of a root's engines and of its servers."""
    engines, servers = [], []
    with Docker(root) as engine:
        engines.append(engine_row(engine))
        programs: list[type[AnyServer]] = [OpenSsh] if root.release == OWN else [OpenSsh, Dropbear]
        servers += [server_row(program(root), engine) for program in programs]
    if root.release == "sid":
        for kind in (DockerContainerd, DockerOfNewClients):
            with kind(root) as engine:
                engines.append(engine_row(engine))
    with Podman(root) as podman:
        engines.append(engine_row(podman))
    return engines, servers


def _kind(row: Row) -> str:
    return row[0].partition(" ")[0].lower()


def table(title: str, columns: Iterable[str], rows: Iterable[Row]) -> str:
    """Return a Markdown table."""
    lines = [f"| {title} | {' | '.join(columns)} |"]
    lines.append("| --- " * lines[0].count(" | ") + "| --- |")
    lines += [f"| {name} | {' | '.join(cell.text for cell in cells)} |" for name, cells in rows]
    return "\n".join(lines)


def write(text: str) -> None:
    """Write the tables between their markers on the page."""
    begin, end = "<!-- compat -->", "<!-- end compat -->"
    page = PAGE.read_text()
    if begin not in page:
        sys.exit(f"{PAGE} has no place for the tables")
    PAGE.write_text(re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL))


def main() -> None:
    """Try everything, print the tables, and exit with 1 if a check failed."""
    if os.geteuid() != 0:
        sys.exit("make compat needs root: it makes chroots and runs engines in them")
    # So that a time limit that ends this also ends the engines.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    engines: list[Row] = []
    servers: list[Row] = []
    try:
        for release in RELEASES:
            with ExitStack() as stack:
                found = rows_of(stack.enter_context(open_root(release)))
            # By kind, and within one by age as the releases are.
            engines = sorted([*engines, *found[0]], key=_kind)
            servers = sorted([*servers, *found[1]], key=_kind)
    except CompatUnavailable as error:
        sys.exit(f"a chroot could not be made: {error}")
    text = "\n\n".join(
        [
            table("engine", engine_checks.CHECKS, engines),
            table("SSH server", server_checks.CHECKS, servers),
            f"{datetime.now(UTC):%Y-%m-%d}.",
        ]
    )
    print(text)
    if "--write" in sys.argv[1:]:
        write(text)
    failed = sum(cell.failed for _, cells in [*engines, *servers] for cell in cells)
    if failed:
        sys.exit(f"{failed} checks failed")


if __name__ == "__main__":
    main()
