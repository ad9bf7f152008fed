"""The types of option values: each parses one kind of text, and a refusal names the option."""

from __future__ import annotations

import re
from typing import Final, Literal

import click
from click.shell_completion import CompletionItem


class Duration(click.ParamType[float]):
    """A duration such as 90s, 30m or 1h30m, in seconds; a bare number counts seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return whole seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        from fleetsweep.model.numerals import whole
        from fleetsweep.policy.settings import parse_duration

        text = str(value)
        try:
            return float(parse_duration(text + "s" if whole(text) is not None else text))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Count(click.ParamType[int]):
    """A count in ASCII digits from ``least`` to ``most``. ``int`` would also take ``1_0`` and other scripts' digits."""

    name = "count"

    def __init__(self, least: int, most: int | None = None) -> None:
        self.least = least
        self.most = most

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        from fleetsweep.model.numerals import whole

        number = value if isinstance(value, int) else whole(str(value))
        if number is None:
            self.fail(f"{value!r} is not a count", param, ctx)
        if number < self.least or (self.most is not None and number > self.most):
            limits = f"{self.least} or more" if self.most is None else f"from {self.least} to {self.most}"
            self.fail(f"{number} is not {limits}", param, ctx)
        return number


class Processes(click.ParamType[str]):
    """How many worker processes: a count, or ``auto``."""

    name = "processes"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word."""
        return "auto" if value == "auto" else str(Count(1, 256).convert(value, param, ctx))


class HostCount(click.ParamType[tuple[int, int]]):
    """How many hosts are expected: ``N`` or ``MIN..MAX``."""

    name = "host count"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return the least and the most hosts."""
        found = re.fullmatch(r"([0-9]{1,9})(?:\.\.([0-9]{1,9}))?", str(value))
        if found is None or int(found[2] or found[1]) < int(found[1]):
            self.fail(f"{value!r} is neither a count nor MIN..MAX", param, ctx)
        return int(found[1]), int(found[2] or found[1])


class RunLabel(click.ParamType[tuple[str, str]]):
    """The label of one run, ``KEY=VALUE``: neither is empty, and neither has blanks around it."""

    name = "run label"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the key and the value."""
        text = str(value)
        key, separator, label_value = text.partition("=")
        if not separator or not key.strip() or not label_value.strip() or not text.isprintable() or "," in key:
            self.fail(
                f"{text!r} is not KEY=VALUE: is a variable in it unset? An empty value would be every run's", param, ctx
            )
        if key != key.strip() or label_value != label_value.strip():
            self.fail(f"{text!r} has blanks around its key or value: take them out", param, ctx)
        return key, label_value


class ScheduleName(click.ParamType[str]):
    """The name of a schedule, which is part of the names of files and units, and a label of metrics."""

    name = "name"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name. An empty one, of a variable that is unset, means none."""
        text = str(value)
        if text and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", text) is None:
            self.fail(f"{text!r}: write a name of letters, digits, _ and -, at most 40", param, ctx)
        return text


class LeakGrouping(click.ParamType[tuple[str, str]]):
    """What leaks are grouped by: ``image``, ``host``, ``group``, or ``label:KEY``."""

    name = "grouping"
    kinds: Final = ("image", "host", "group", "label:")

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the kind and, for a label, its key."""
        kind, colon, key = str(value).partition(":")
        if not (key.strip() if kind == "label" else kind in self.kinds and not colon):
            self.fail(f"{value!r} is not image, host, group or label:KEY", param, ctx)
        return kind, key.strip()

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the kind."""
        return [CompletionItem(kind) for kind in self.kinds if kind.startswith(incomplete)]


class RunHosts(click.ParamType[tuple[str, str]]):
    """Hosts of a past run, ``RUN:STATUS``: RUN is the beginning of an id, or ``last``."""

    name = "run hosts"
    statuses: Final = ("unreachable", "failed", "guarded")

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the run and the status."""
        run, _, status = str(value).rpartition(":")
        if not run.strip() or status not in self.statuses:
            self.fail(f"{value!r} is not RUN:unreachable, RUN:failed or RUN:guarded", param, ctx)
        return run.strip(), status

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the status, and ``last``."""
        run, colon, begun = incomplete.partition(":")
        if not colon:
            run = "last" if "last".startswith(run) else run
        return [CompletionItem(f"{run}:{status}") for status in self.statuses if run and status.startswith(begun)]


class EngineUrl(click.ParamType[str]):
    """An engine's address: ``unix:///path/to.sock`` or ``tcp://address:port``."""

    name = "url"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address as it was typed."""
        from fleetsweep.engine.endpoint import parse_endpoint
        from fleetsweep.errors import UsageError

        text = str(value)
        try:
            parse_endpoint(text)
        except UsageError as error:
            self.fail(str(error), param, ctx)
        return text


class FileName(click.ParamType[str]):
    """The name of a file or directory, as typed. A shell completes it; whether it exists is not checked here."""

    def __init__(self, kind: Literal["file", "dir"]) -> None:
        self.name = kind

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text itself. An empty one would mean that the option was not given, such as ``--plan``."""
        text = str(value)
        if not text:
            self.fail("it is empty: is a variable in it unset?", param, ctx)
        return text

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Let the shell complete the name."""
        return [CompletionItem(incomplete, type=self.name)]


FILE: Final = FileName("file")
DIR: Final = FileName("dir")
