"""Whom a run tells how it went, besides its report: a CI job, a metrics file, a push gateway, people.

None of them can undo what was done or hide how it ended: one that can't be told costs a warning, and turns success into
INCOMPLETE. Addresses hold passwords and tokens: no more of one than its scheme is ever printed.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import click

from fleetsweep.console import say, warn
from fleetsweep.errors import FleetsweepError, UsageError
from fleetsweep.exit_codes import BUG, INCOMPLETE, INTERRUPTED, USAGE
from fleetsweep.model.journal import LastSuccesses
from fleetsweep.model.report import FleetReport
from fleetsweep.runtime import files

PATIENCE_S: Final = 15.0
"""Seconds that all notifications, and then again the push, may take."""


@dataclass(frozen=True, slots=True)
class NotifyConfig:
    """Whom one run tells. ``notify`` and ``push_gateway`` hold secrets, so no repr shows them.

    ``ci`` asks for annotations, on stdout if ``annotate_stdout``; ``summary`` is the file that it shows as Markdown.
    ``look`` is the command to look again, up to the choice of hosts; ``chosen`` is that choice as it was typed, and
    ``narrow`` says that single hosts may be named in its place. ``show`` says where the run's journal
    is, and is None where it is in none. ``before`` is what a push remembers where no metrics file does.
    """

    command: str = ""
    notify: tuple[str, ...] = field(default=(), repr=False)
    always: bool = False
    metrics: Path | None = None
    push_gateway: str | None = field(default=None, repr=False)
    ci: bool = False
    annotate_stdout: bool = False
    summary: Path | None = None
    look: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    narrow: bool = False
    show: tuple[str, ...] | None = ()
    before: LastSuccesses | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be printed."""
        return (*self.notify, *((self.push_gateway,) if self.push_gateway else ()))


def notify_of_failure(telling: NotifyConfig, command: Callable[[], int]) -> int:
    """Run a command and return its exit code; notify if it raises, so that a timer does not fail unnoticed.

    Passes the exception on. Raises UsageError for a channel that can't be used, after notifying the others. Prints a
    bug's traceback and returns BUG: the exception may quote an address, which only this function knows to redact.
    """
    started_ns = time.time_ns()
    sound, objection = _checked(telling)
    try:
        _refuse(objection)
        return command()
    except (Exception, KeyboardInterrupt) as error:
        code, words = _ending(error)
        words = masked(words, telling.secrets)
        if code == BUG:
            import traceback

            say(masked(traceback.format_exc(), telling.secrets).rstrip())
        tell(FleetReport("", telling.command, False, started_ns, time.time_ns(), code, ()), sound, words)
        if code == BUG:
            return BUG
        raise


def _refuse(objection: UsageError | None) -> None:
    if objection is not None:
        raise objection


def _ending(error: BaseException) -> tuple[int, str]:
    """Return the exit code that ``__main__.run`` gives an exception, and the message to send."""
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return INTERRUPTED, "stopped before anything was contacted"
    if isinstance(error, click.ClickException):
        return USAGE, error.format_message()
    if isinstance(error, UsageError):
        return USAGE, str(error)
    if isinstance(error, (FleetsweepError, BrokenPipeError)):
        return INCOMPLETE, str(error)
    return BUG, f"{type(error).__name__}: the traceback is in the log"


def _checked(telling: NotifyConfig) -> tuple[NotifyConfig, UsageError | None]:
    """The channels that can be used, and the first objection to one that can't. Contacts nobody."""
    objections: list[UsageError] = []
    if telling.notify:
        from fleetsweep.notify import messages as notify

        try:
            notify.check(telling.notify)
        except UsageError as error:
            objections.append(error)
            telling = replace(telling, notify=notify.readable(telling.notify))
    if telling.metrics is not None:
        from fleetsweep.notify import prometheus as metrics

        try:
            metrics.check_file(telling.metrics)
        except UsageError as error:
            objections.append(error)
            telling = replace(telling, metrics=None)
    if telling.push_gateway is not None:
        from fleetsweep.notify import prometheus as metrics

        try:
            metrics.check_gateway(telling.push_gateway)
        except UsageError as error:
            objections.append(error)
            telling = replace(telling, push_gateway=None)
    return telling, objections[0] if objections else None


def tell(report: FleetReport, telling: NotifyConfig, failure: str = "") -> int:
    """Tell everybody whom ``telling`` names of a run that ended; answers the exit code that it now has.

    ``failure`` is what ended a run that has no rows.
    """
    if telling.ci:
        (problem,) = within(PATIENCE_S, [lambda: _annotate(report, telling, failure)])
        if problem:
            _warn(f"the CI was not told everything: {problem}")
    code = _measure(report, telling)
    if telling.notify and (code or telling.always or _no_library()):
        before = code
        code = _notify(replace(report, exit_code=code), telling, failure)
        if code != before:
            code = _measure(replace(report, exit_code=code), telling)
    return code


def _annotate(report: FleetReport, telling: NotifyConfig, failure: str) -> str:
    from fleetsweep.notify import ci

    text = "".join(f"{line}\n" for line in ci.errors(report, failure))
    with suppress(OSError):
        stream = sys.stdout if telling.annotate_stdout else sys.stderr
        stream.write(text)
        stream.flush()
    if telling.summary is None:
        return ""
    try:
        files.append(telling.summary, ci.summary(report, failure))
    except OSError as error:
        return f"its summary can't be written: GITHUB_STEP_SUMMARY: {telling.summary}: {error.strerror}"
    return ""


def _measure(report: FleetReport, telling: NotifyConfig) -> int:
    """Push the metrics, and write them with the exit code that came of it."""
    if telling.metrics is None and telling.push_gateway is None:
        return report.exit_code
    from fleetsweep.notify import prometheus as metrics

    file, gateway, code = telling.metrics, telling.push_gateway, report.exit_code
    if gateway is not None:
        (problem,) = within(PATIENCE_S, [lambda: metrics.push(report, gateway, file, telling.before)])
        code = _or_incomplete(code, problem and f"--push-gateway: nothing was pushed: {problem}")
    if file is not None:
        told = replace(report, exit_code=code)
        (problem,) = within(PATIENCE_S, [lambda: metrics.write(told, file)])
        code = _or_incomplete(code, problem and f"--metrics: {file} was not written: {problem}")
    return code


def _no_library() -> bool:
    """Whether nobody could be told of a failure: to be known before there is one."""
    from fleetsweep.notify import messages as notify

    return bool(notify.missing())


def _notify(report: FleetReport, telling: NotifyConfig, failure: str) -> int:
    from fleetsweep.notify import messages as notify

    def sending(url: str) -> Callable[[], str]:
        def send() -> str:
            look = notify.look_again(report, telling.look, telling.chosen, narrow=telling.narrow)
            return notify.send(url, notify.compose(report, look, telling.show, failure))

        return send

    code = report.exit_code
    problems = within(PATIENCE_S, [sending(url) for url in telling.notify])
    for number, (url, problem) in enumerate(zip(telling.notify, problems, strict=True), 1):
        which = f"{number} of {len(problems)} ({notify.scheme(url)})"
        code = _or_incomplete(code, problem and f"--notify: {which} was not sent: {problem}")
    return code


def _or_incomplete(code: int, problem: str) -> int:
    if not problem:
        return code
    _warn(problem)
    return code or INCOMPLETE


def within(seconds: float, works: Sequence[Callable[[], str]]) -> list[str]:
    """What each of ``works`` answers, all begun at once: nothing, or why it failed. Never raises, never takes longer.

    One that is stuck is left behind in a daemon thread. Of an exception only its kind is told: its words may quote an
    address.
    """
    problems = [f"it took longer than {seconds:g} s"] * len(works)

    def run(number: int, work: Callable[[], str]) -> None:
        try:
            problems[number] = work()
        except Exception as error:
            problems[number] = type(error).__name__

    threads = [
        threading.Thread(target=run, args=each, name="fleetsweep-telling", daemon=True) for each in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    return list(problems)


def masked(text: str, secrets: Sequence[str]) -> str:
    """``text`` with each address cut to its scheme, where it stands whole and where its scheme was taken off."""
    for secret in secrets:
        scheme, separator, rest = secret.partition("://")
        for whole, shown in ((secret, f"{scheme}://…" if separator else "…"), (rest, "…")):
            if len(whole) >= 4:
                text = text.replace(whole, shown).replace(repr(whole)[1:-1], shown)
    return text


def without_addresses(text: str) -> str:
    """``text`` with every URL cut to its scheme: for messages that quote words of the command line."""
    return re.sub(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]*)://[^\s'\"]*", r"\1://…", text)


def _warn(text: str) -> None:
    from fleetsweep.report import printable

    warn(printable(text, limit=1000))
