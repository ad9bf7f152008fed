"""``make pages``: paste the pages' commands word for word into a bare Debian, and print what held.

The boxes are the lab's. What a page calls runner-1.example.com is one of them, by the SSH configuration of the bare
system, as an operator's own configuration would name a box. The exit code is 1 if a block failed.
``python -m tests.pages PART ...`` tries these parts alone: ci, container, ssh, or a release.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from release.dist import build, source_date
from tests.compat.releases import CompatUnavailable
from tests.lab import Box, Lab, Spec
from tests.pages.bare import Bare, Pasted, bare
from tests.pages.blocks import ROOT, blocks, table
from tests.pages.ci import paste_in_job, with_usual_socket
from tests.pages.container import container_page
from tests.pages.ssh import ssh_page

RELEASES: Final = ("bookworm", "trixie")
INSTALLS: Final = {
    "pipx": "apt-get update -qq && apt-get install -y -qq --no-install-recommends pipx",
    "uv": "python3 -m venv uv && uv/bin/pip install -q uv && mkdir -p .local/bin && ln -s /root/uv/bin/uv .local/bin",
    "pip": "true",
}
"""What each way to install needs beforehand, by its name in README's table. The blocks are in this order."""

LEAKS: Final = [Spec("ws-old-1", age=timedelta(days=2)), Spec("ws-old-2", age=timedelta(days=3))]
KEPT: Final = Spec("db", image="postgres:16", age=timedelta(days=9))


class Pages:
    """The results so far: one line for each block that was pasted."""

    def __init__(self) -> None:
        self.failed = 0

    def expect(self, what: str, done: Pasted, code: int = 0, holds: Callable[[str], bool] = bool) -> None:
        """Print whether a block exited and printed as expected."""
        good = done.code == code and holds(done.printed + " ")
        self.failed += not good
        print(f"{'ok    ' if good else 'FAILED'}  {what}: exit code {done.code}", flush=True)
        if not good:
            print("    " + done.printed[-3000:].replace("\n", "\n    "), flush=True)


class BoxAtUsualSocket(Box):
    """A box whose sshd sees its engine at /var/run/docker.sock, in a mount namespace of its own."""

    def start_sshd(self) -> None:
        """Start sshd."""
        self.sshd_prefix = with_usual_socket(self)
        super().start_sshd()


class PagesLab(Lab):
    """Two boxes with their sockets where Docker has them."""

    def make_box(self, name: str, directory: Path) -> Box:
        """Return a box."""
        return BoxAtUsualSocket(name, directory, self.client_key)


def system(made: Bare, lab: Lab, checkout: Path) -> None:
    """Put into the bare system what an operator has: the wheel, a key, and an SSH configuration with the boxes."""
    made.copy(checkout, "/root/checkout")
    made.write("/root/.ssh/id_ed25519", lab.client_key.read_text())
    hosts = [
        f"Host {box.name}.example.com\n  HostName 127.0.0.1\n  Port {box.port}\n  HostKeyAlias {box.name}\n"
        for box in lab.boxes
    ]
    made.write("/root/.ssh/config", "".join(hosts) + "Host *\n  User root\n")


def try_release(release: str, lab: Lab, checkout: Path, pages: Pages) -> None:
    """Install in each way that README shows, follow the quick start, upgrade and uninstall."""
    lifecycle = table("README.md", "Install")
    for (way, preparation), install in zip(INSTALLS.items(), blocks("README.md", "Install"), strict=True):
        with bare(release) as made:
            system(made, lab, checkout)
            prepared = made.paste(preparation)
            if prepared.code:
                pages.expect(f"{release}: {way}: what it needs", prepared)
                continue
            here = "/root/checkout"
            pages.expect(f"{release}: README, install with {way}", made.paste(install, where=here))
            version = made.paste("fleetsweep --version")
            pages.expect(
                f"{release}: README, {way}: it runs", version, holds=lambda text: "fleetsweep, version" in text
            )
            for page, heading in (("README.md", "Quick start with your own fleet"), ("docs/quickstart.md", "")):
                quick_start(f"{release}: {page} after {way}", made, lab, blocks(page, heading), pages)
            upgrade, uninstall = lifecycle[way]
            pages.expect(f"{release}: README, upgrade with {way}", made.paste(upgrade, where=here))
            pages.expect(f"{release}: README, uninstall with {way}", made.paste(uninstall, where=here))
            gone = made.paste("command -v fleetsweep", where=here)
            pages.expect(f"{release}: README, {way}: it is gone", gone, code=1, holds=lambda text: not text.strip())


def quick_start(what: str, made: Bare, lab: Lab, commands: list[str], pages: Pages) -> None:
    """Follow the quick start with leaks on each box, and look that they are gone and nothing else is."""
    for box in lab.boxes:
        box.clear()
        box.seed([*LEAKS, KEPT])
    made.paste("rm -f /root/.ssh/known_hosts /root/inventory.ini")
    printed = [made.paste(block) for block in commands]
    worst = max(printed, key=lambda done: done.code)
    left = [box.names() for box in lab.boxes]
    good = left == [{KEPT.name}] * len(lab.boxes)
    pages.expect(f"{what}: {len(commands)} blocks; left on the boxes: {left}", worst, holds=lambda _: good)


def try_container(lab: Lab, dist: Path, pages: Pages) -> None:
    """Build the image, audit the boxes from it, and read the journal that the volume keeps."""
    for box in lab.boxes:
        box.clear()
        box.seed([*LEAKS, KEPT])
    build_it, audit, history = blocks("docs/container.md")
    with container_page(lab, dist) as page:
        pages.expect("docs/container.md: build", page.paste(build_it))
        every = [box.name for box in lab.boxes]
        done = page.paste(audit)
        pages.expect("docs/container.md: audit", done, holds=lambda text: all(f"{name}  ok" in text for name in every))
        pages.expect("docs/container.md: history", page.paste(history), holds=lambda text: " audit " in text)


def try_ci(lab: Lab, pages: Pages) -> None:
    """Run a job's steps, with labels, with a baseline, and with both."""
    box = lab.boxes[0]
    box.clear()
    box.seed([*LEAKS, KEPT])
    # A template has a command that runs on; the lab's image has none.
    template = 'docker commit -c \'CMD ["/bin/sleep", "600"]\' ws-old-1 molecule-local/workspace-template-x'
    pages.expect("docs/ci.md: the template", paste_in_job(box, lab.directory, template))
    others = {KEPT.name, *(leak.name for leak in LEAKS)}
    labels, baseline, both = blocks("docs/ci.md")
    for what, commands in (("labels", labels), ("baseline", baseline)):
        done = paste_in_job(box, lab.directory, commands)
        pages.expect(f"docs/ci.md: {what}", done, holds=lambda _: box.names() == others)
    start = 'docker run -d --name ws-new --label "fleetsweep.run=$RUN" molecule-local/workspace-template-x'
    done = paste_in_job(box, lab.directory, f"{start} && {both}")
    pages.expect("docs/ci.md: a baseline and a label", done, holds=lambda _: box.names() == others)


def try_ssh(lab: Lab, checkout: Path, pages: Pages) -> None:
    """Type the recipes for accounts, keys, certificates and bastions."""
    with bare(RELEASES[-1]) as made:
        system(made, lab, checkout)
        with ssh_page(made, pages.expect) as page:
            page.try_all()


def main() -> int:
    """Paste everything, and return the exit code."""
    pages = Pages()
    with PagesLab(2) as lab:
        checkout = lab.directory / "checkout"
        (checkout / "dist").mkdir(parents=True)
        build(ROOT, checkout / "dist", source_date(ROOT, {}))
        tries: dict[str, Callable[[], None]] = {
            "ci": lambda: try_ci(lab, pages),
            "container": lambda: try_container(lab, checkout / "dist", pages),
            "ssh": lambda: try_ssh(lab, checkout, pages),
            **{release: partial(try_release, release, lab, checkout, pages) for release in RELEASES},
        }
        for name in sys.argv[1:] or tries:
            try:
                tries[name]()
            except CompatUnavailable as error:
                sys.exit(f"a chroot could not be made: {error}")
    return 1 if pages.failed else 0


if __name__ == "__main__":
    sys.exit(main())
