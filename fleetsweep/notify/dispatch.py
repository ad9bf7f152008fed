"""Notifications after a run, in addition to its report: a CI job, a metrics file, a push gateway, people.

A notification never changes what was done or hides how the run ended: one that fails costs a warning and turns success
into INCOMPLETE. URLs hold passwords and tokens: only their scheme is ever printed.
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
from typing import TYPE_CHECKING, Final

import click

from fleetsweep.console import say, warn
from fleetsweep.errors import FleetsweepError, UsageError
from fleetsweep.exit_codes import BUG, INCOMPLETE, INTERRUPTED, USAGE
from fleetsweep.model.report import FleetReport
from fleetsweep.runtime import files

if TYPE_CHECKING:
    from fleetsweep.model.journal import Counters, LastSuccesses

TIMEOUT_S: Final = 15.0
"""Seconds for each step: the CI output, the push, the metrics file, and all messages together."""


@dataclass(frozen=True, slots=True)
class RerunCommand:
    """The command to look at a run's hosts again, as words of a command line.

    ``look`` are the options of the audit without the choice of hosts; ``chosen`` is that choice as typed. With
    ``narrow``, single hosts may be named in its place. ``show`` are the options with which ``fleetsweep show`` finds
    the run's journal; None if the run is in no journal.
    """

    look: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    narrow: bool = False
    show: tuple[str, ...] | None = ()


@dataclass(frozen=True, slots=True)
class NotifyConfig:
    """What one run notifies. ``notify`` and ``push_gateway`` hold secrets, so the repr leaves them out.

    ``notify`` are Apprise URLs; with ``always`` they also get a message about a run with exit code 0. ``ci`` asks for
    annotations, on stdout if ``annotate_stdout``, and ``summary`` is the file for the job's Markdown summary.
    ``schedule`` is the name of the schedule, a label of its metrics.
    ``last_successes`` and ``counters`` are the journal's, for metrics. With ``news``, the run has a warning that recent
    runs did not have: people get a message about that, too.
    """

    command: str = ""
    notify: tuple[str, ...] = field(default=(), repr=False)
    always: bool = False
    metrics: Path | None = None
    push_gateway: str | None = field(default=None, repr=False)
    schedule: str = ""
    ci: bool = False
    annotate_stdout: bool = False
    summary: Path | None = None
    rerun: RerunCommand = RerunCommand()
    last_successes: LastSuccesses | None = None
    counters: Counters | None = None
    news: bool = False

    def without_journal(self) -> NotifyConfig:
        """Return the config for a run that is in no journal, so that no message offers to show it."""
        return replace(self, rerun=replace(self.rerun, show=None))

    @property
    def exports(self) -> bool:
        """Whether metrics are written or pushed."""
        return self.metrics is not None or self.push_gateway is not None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The URLs that must not be printed."""
        return (*self.notify, *((self.push_gateway,) if self.push_gateway else ()))


def notify_of_failure(config: NotifyConfig, command: Callable[[], int]) -> int:
    """Run a command and return its exit code; notify if it raises, so that a timer does not fail unnoticed.

    Passes the exception on. Raises UsageError for a channel that can't be used, after notifying the others. Prints a
    bug's traceback and returns BUG: the exception may quote an address, which only this function knows to redact.
    """
    started_ns = time.time_ns()
    usable, channel_error = _usable_channels(config)
    try:
        _raise(channel_error)
        return command()
    except (Exception, KeyboardInterrupt) as error:
        code, words = _ending(error)
        words = redact(words, config.secrets)
        if code == BUG:
            import traceback

            say(redact(traceback.format_exc(), config.secrets).rstrip())
        notify(FleetReport("", config.command, False, started_ns, time.time_ns(), code, ()), usable, words)
        if code == BUG:
            return BUG
        raise


def check_channels(config: NotifyConfig) -> None:
    """Raise UsageError for a channel that can't be used. Sends nothing."""
    _raise(_usable_channels(config)[1])


def _raise(channel_error: UsageError | None) -> None:
    """Raise a channel's error, if there is one."""
    if channel_error is not None:
        raise channel_error


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


def _usable_channels(config: NotifyConfig) -> tuple[NotifyConfig, UsageError | None]:
    """Return the channels that can be used, and the first error of one that can't. Sends nothing."""
    errors: list[UsageError] = []
    if config.notify:
        from fleetsweep.notify import messages

        try:
            messages.check(config.notify)
        except UsageError as error:
            errors.append(error)
            config = replace(config, notify=messages.readable(config.notify))
    if config.metrics is not None:
        from fleetsweep.notify import prometheus

        try:
            prometheus.check_file(config.metrics)
        except UsageError as error:
            errors.append(error)
            config = replace(config, metrics=None)
    if config.push_gateway is not None:
        from fleetsweep.notify import prometheus

        try:
            prometheus.check_gateway(config.push_gateway)
        except UsageError as error:
            errors.append(error)
            config = replace(config, push_gateway=None)
    return config, errors[0] if errors else None


def notify(report: FleetReport, config: NotifyConfig, failure: str = "") -> int:
    """Notify every channel of ``config`` of a run that ended; return the exit code that the run now has.

    ``failure`` is the error of a run that ended before it had hosts.
    """
    if config.ci:
        (problem,) = run_within(TIMEOUT_S, [lambda: _annotate(report, config, failure)])
        if problem:
            _warn(f"the CI job's output is incomplete: {problem}")
    code = _export_metrics(report, config)
    if config.notify and (code or config.always or config.news or _apprise_is_missing()):
        before = code
        code = _send_messages(replace(report, exit_code=code), config, failure)
        if code != before:
            code = _export_metrics(replace(report, exit_code=code), config)
    return code


def _annotate(report: FleetReport, config: NotifyConfig, failure: str) -> str:
    """Print the annotations and append the summary; return an error, or an empty string."""
    from fleetsweep.notify import ci

    text = "".join(f"{line}\n" for line in ci.errors(report, failure))
    with suppress(OSError):
        stream = sys.stdout if config.annotate_stdout else sys.stderr
        stream.write(text)
        stream.flush()
    if config.summary is None:
        return ""
    try:
        files.append(config.summary, ci.summary(report, failure))
    except OSError as error:
        return f"its summary can't be written: GITHUB_STEP_SUMMARY: {config.summary}: {error.strerror}"
    return ""


def _export_metrics(report: FleetReport, config: NotifyConfig) -> int:
    """Push the metrics, then write them with the exit code that the run has after the push. Return the exit code."""
    if not config.exports:
        return report.exit_code
    from fleetsweep.notify import prometheus
    from fleetsweep.notify.metrics import Known

    file, gateway, code = config.metrics, config.push_gateway, report.exit_code
    known, schedule = Known(config.last_successes, config.counters), config.schedule
    if gateway is not None:
        (problem,) = run_within(TIMEOUT_S, [lambda: prometheus.push(report, gateway, file, known, schedule)])
        code = _or_incomplete(code, problem and f"--push-gateway: nothing was pushed: {problem}")
    if file is not None:
        (same,) = run_within(TIMEOUT_S, [lambda: prometheus.same_series(file, report.command, schedule)])
        code = _or_incomplete(
            code,
            same
            and f"--metrics: {same} has the same metrics as {file}, and node-exporter drops one of them: give each "
            "schedule a --schedule-name, or delete the old file",
        )
        after_push = replace(report, exit_code=code)
        (problem,) = run_within(TIMEOUT_S, [lambda: prometheus.write(after_push, file, known, schedule)])
        code = _or_incomplete(code, problem and f"--metrics: {file} was not written: {problem}")
    return code


def _apprise_is_missing() -> bool:
    """Return whether no message could be sent. Reported after a success too, before a failure needs it."""
    from fleetsweep.notify import messages

    return bool(messages.missing())


def _send_messages(report: FleetReport, config: NotifyConfig, failure: str) -> int:
    """Send the message to each URL at once; return the exit code that the run now has."""
    from fleetsweep.notify import messages

    def sender(url: str) -> Callable[[], str]:
        return lambda: messages.send(url, messages.compose(report, config.rerun, failure))

    code = report.exit_code
    problems = run_within(TIMEOUT_S, [sender(url) for url in config.notify])
    for number, (url, problem) in enumerate(zip(config.notify, problems, strict=True), 1):
        which = f"{number} of {len(problems)} ({messages.scheme(url)})"
        code = _or_incomplete(code, problem and f"--notify: {which} was not sent: {problem}")
    return code


def _or_incomplete(code: int, problem: str) -> int:
    """Warn of a problem, and turn success into INCOMPLETE."""
    if not problem:
        return code
    _warn(problem)
    return code or INCOMPLETE


def run_within(seconds: float, tasks: Sequence[Callable[[], str]]) -> list[str]:
    """Run ``tasks`` in parallel for at most ``seconds``; return each one's error, or an empty string. Never raises.

    A task that hangs is left in a daemon thread. Of an exception only the class is returned: its message may quote a
    URL with a secret.
    """
    problems = [f"it took longer than {seconds:g} s"] * len(tasks)

    def run(number: int, task: Callable[[], str]) -> None:
        try:
            problems[number] = task()
        except Exception as error:
            problems[number] = type(error).__name__

    threads = [
        threading.Thread(target=run, args=each, name="fleetsweep-notify", daemon=True) for each in enumerate(tasks)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return list(problems)


def redact(text: str, secrets: Sequence[str]) -> str:
    """Return ``text`` with each secret URL cut to its scheme, also where it occurs without its scheme."""
    for secret in secrets:
        scheme, separator, rest = secret.partition("://")
        for whole, shown in ((secret, f"{scheme}://…" if separator else "…"), (rest, "…")):
            if len(whole) >= 4:
                text = text.replace(whole, shown).replace(repr(whole)[1:-1], shown)
    return text


def redact_urls(text: str) -> str:
    """Return ``text`` with every URL cut to its scheme: for errors that quote the command line."""
    return re.sub(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]*)://[^\s'\"]*", r"\1://…", text)


def _warn(text: str) -> None:
    from fleetsweep.report import printable

    warn(printable(text, limit=1000))
