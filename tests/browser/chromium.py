"""Headless Chromium, driven through a pipe by its DevTools protocol: no port is opened.

The protocol: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.lab.lab import AXE, BROWSERS
from tests.lab.process import remove_tree

Reply = dict[str, object]

_FLAGS: Final = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # root has no other way, and the pages are ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--hide-scrollbars",
    "--proxy-server=127.0.0.1:9",  # whatever it asks of the network is refused
)


class BrowserError(Exception):
    """The browser refused a call, or a script failed."""


class Page:
    """An open page, its console messages and the addresses that it requested."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session
        self.console: list[str] = []
        self.requests: list[str] = []

    def call(self, method: str, **values: object) -> Reply:
        """Call a method of the protocol."""
        return self._browser.call(method, values, self._session)

    def open(self, path: Path) -> None:
        """Load a file and wait until it is loaded."""
        self.console.clear()
        self.requests.clear()
        self.call("Page.navigate", url=path.as_uri())
        self._browser.wait_for_event("Page.loadEventFired", self._session)

    def evaluate(self, script: str) -> object:
        """Return the JSON value of a script, or of the promise that it returns. The page's policy does not apply."""
        reply = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in reply:
            raise BrowserError(str(reply["exceptionDetails"]))
        result = reply["result"]
        assert isinstance(result, dict)
        return result.get("value")

    def resize(self, width: int, height: int = 900, *, scale: float = 1, mobile: bool = False) -> None:
        """Set the size of the window in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    def prefer(self, scheme: str) -> None:
        """Set what the reader prefers: ``light`` or ``dark``."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, *, height: int | None = None) -> bytes:
        """Return a PNG of the window, or of the page's top ``height`` pixels."""
        values: dict[str, object] = {"format": "png", "optimizeForSpeed": False}
        if height is not None:
            width = self.evaluate("document.documentElement.clientWidth")
            values |= {"captureBeyondViewport": True}
            values |= {"clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}}
        return base64.b64decode(str(self.call("Page.captureScreenshot", **values)["data"]))

    def axe(self, *rules: str) -> list[str]:
        """Return what axe-core objects to, a line each; of these rules only, if any are given."""
        self.evaluate(AXE.read_text())
        options = {"resultTypes": ["violations"], "preload": False, **({"runOnly": rules} if rules else {})}
        found = self.evaluate(
            f"axe.run(document, {json.dumps(options)}).then(r => r.violations.map("
            "v => v.id + ': ' + v.help + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200)).join(' | ')))"
        )
        assert isinstance(found, list)
        return found

    def notice(self, method: str, values: Mapping[str, object]) -> None:
        """Keep what the browser reports of the page."""
        if method == "Network.requestWillBeSent":
            request = values["request"]
            assert isinstance(request, dict)
            self.requests.append(str(request["url"]))
        elif method in {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Audits.issueAdded"}:
            self.console.append(json.dumps(values)[:500])
        elif method == "Page.javascriptDialogOpening":
            self.console.append(f"a dialog opened: {values}")


class Chromium:
    """A running browser."""

    def __init__(self, to: int, back: int) -> None:
        self._to = to
        self._back = back
        self._rest = b""
        self._last = 0
        self._pages: dict[str, Page] = {}
        self._events: list[tuple[str, str]] = []

    def page(self) -> Page:
        """Open an empty page."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = str(self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"])
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            page.call(f"{domain}.enable")
        return page

    def call(self, method: str, values: Mapping[str, object], session: str = "") -> Reply:
        """Call a method and return its result. Raises BrowserError."""
        self._last += 1
        number = self._last
        message = {"id": number, "method": method, "params": values, **({"sessionId": session} if session else {})}
        rest = memoryview(json.dumps(message).encode() + b"\0")
        while rest:
            rest = rest[os.write(self._to, rest) :]
        while True:
            reply = self._read()
            if reply.get("id") == number:
                if "error" in reply:
                    raise BrowserError(f"{method}: {reply['error']}")
                result = reply["result"]
                assert isinstance(result, dict)
                return result

    def wait_for_event(self, method: str, session: str) -> None:
        """Wait for an event of a page, also one that came while another call was answered."""
        while (method, session) not in self._events:
            self._read()
        self._events.clear()

    def _read(self) -> Reply:
        """Return the next message, after noticing it if it is an event."""
        while b"\0" not in self._rest:
            piece = os.read(self._back, 1 << 16)
            if not piece:
                raise BrowserError("chromium ended")
            self._rest += piece
        text, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(text)
        assert isinstance(message, dict)
        if "method" in message:
            session = message.get("sessionId", "")
            self._events.append((message["method"], session))
            if session in self._pages:
                self._pages[session].notice(message["method"], message["params"])
        return message


def _pipe() -> tuple[int, int]:
    """Return a pipe whose descriptors are none of those that the browser gets."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Start a browser with an empty profile, and end it."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None or not AXE.exists():
        raise FileNotFoundError("chromium or axe-core is not installed: make test-needs")
    profile = Path(tempfile.mkdtemp(prefix="fs-chromium-"))
    (read_by_it, to), (back, written_by_it) = _pipe(), _pipe()
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    try:
        # It reads descriptor 3 and writes descriptor 4.
        process = subprocess.Popen(
            [
                "bash",
                "-c",
                f'exec "$@" 3<&{read_by_it} 4>&{written_by_it}',
                "bash",
                program,
                *_FLAGS,
                f"--user-data-dir={profile}",
            ],
            pass_fds=(read_by_it, written_by_it),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**environment, "HOME": str(profile)},
            start_new_session=True,
        )
        os.close(read_by_it)
        os.close(written_by_it)
        try:
            browser = Chromium(to, back)
            yield browser
            with contextlib.suppress(BrowserError):
                browser.call("Browser.close", {})
            process.wait(10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    finally:
        os.close(to)
        os.close(back)
        remove_tree(profile)
