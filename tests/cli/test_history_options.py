"""The values of the options that use past runs."""

from __future__ import annotations

import click
import pytest
from click.shell_completion import CompletionItem

from fleetsweep.cli.params import LeakGrouping, RunHosts

CONTEXT = click.Context(click.Command("x"))
OPTION = click.Option(["--x"])


def test_leaks_are_grouped_by_a_kind_or_a_labels_key() -> None:
    grouping = LeakGrouping()
    assert grouping.convert("image", None, None) == ("image", "")
    assert grouping.convert("label:com.docker.compose.project", None, None) == ("label", "com.docker.compose.project")
    for text in ("", "label", "label:", "label: ", "image:x", "label::"[:6], "fleet", "Image"):
        with pytest.raises(click.BadParameter, match="is not image, host, group or label:KEY"):
            grouping.convert(text, None, None)


def test_a_past_runs_hosts_are_a_run_and_a_status() -> None:
    hosts = RunHosts()
    assert hosts.convert("20260615T07:failed", None, None) == ("20260615T07", "failed")
    assert hosts.convert("last:unreachable", None, None) == ("last", "unreachable")
    for text in ("", "last", ":failed", " :failed", "last:ok", "failed", "last:failed "):
        with pytest.raises(click.BadParameter, match="is not RUN:unreachable"):
            hosts.convert(text, None, None)


def words(found: list[CompletionItem]) -> list[object]:
    return [item.value for item in found]


def test_a_shell_completes_them() -> None:
    assert words(LeakGrouping().shell_complete(CONTEXT, OPTION, "l")) == ["label:"]
    assert words(RunHosts().shell_complete(CONTEXT, OPTION, "la"))[0] == "last:unreachable"
    assert words(RunHosts().shell_complete(CONTEXT, OPTION, "2026:g")) == ["2026:guarded"]
