"""Option values: what is parsed, and that a refusal names the option."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from fleetsweep.cli import cli
from fleetsweep.cli.params import FILE, Count, Duration, EngineUrl, HostCount, RunLabel
from fleetsweep.exit_codes import USAGE

DIGITS = ["1_0", "\u0663", "\uff11\uff12", "1\u0660", "+3", "1e1", "0x10", "\u00b2", "inf", "1 0"]


def parse(kind: click.ParamType[object], text: str) -> object:
    return kind.convert(text, click.Option(["--some-option"]), None)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1h30m", 5400), ("3d", 259_200)])
def test_a_duration_is_in_seconds(text: str, seconds: float) -> None:
    assert parse(Duration(), text) == seconds


@pytest.mark.parametrize("written", DIGITS)
def test_a_number_in_other_digits_than_a_reader_expects_is_refused_everywhere(written: str) -> None:
    for kind, text in (
        (Duration(), written),
        (Count(1), written),
        (HostCount(), written),
        (HostCount(), f"{written}..9"),
        (HostCount(), f"1..{written}"),
    ):
        with pytest.raises(click.BadParameter, match=r"is not|is neither"):
            parse(kind, text)


@pytest.mark.parametrize(("text", "words"), [("0", "0 is not from 1 to 9"), ("10", "10 is not from 1 to 9")])
def test_a_count_has_limits(text: str, words: str) -> None:
    with pytest.raises(click.BadParameter, match=words):
        parse(Count(1, 9), text)
    assert parse(Count(1, 9), "9") == 9


def test_a_number_of_hosts_is_exact_or_a_range() -> None:
    assert parse(HostCount(), "3") == (3, 3)
    assert parse(HostCount(), "3..9") == (3, 9)
    with pytest.raises(click.BadParameter, match="neither a count nor MIN"):
        parse(HostCount(), "9..3")


@pytest.mark.parametrize("text", ["k= ", " k=v", "k =v", "k= v", "k=v ", "k=\u2003", " =v", "k=", "k", "a,b=c"])
def test_a_run_label_of_blanks_or_with_blanks_around_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        parse(RunLabel(), text)


def test_a_run_label_may_have_blanks_inside() -> None:
    assert parse(RunLabel(), "run=a b") == ("run", "a b")


def test_an_engines_address_is_checked_and_kept_as_typed() -> None:
    assert parse(EngineUrl(), "tcp://127.0.0.1:2375") == "tcp://127.0.0.1:2375"
    with pytest.raises(click.BadParameter, match="is not an engine's address"):
        parse(EngineUrl(), "/var/run/docker.sock")


@pytest.mark.parametrize("option", ["--plan", "--save-plan", "-o", "--state-dir", "--known-hosts", "--engine-tls-ca"])
def test_an_empty_file_name_is_not_an_option_that_was_left_out(option: str) -> None:
    done = CliRunner().invoke(cli, ["sweep", "--local", "--yes", option, ""])
    assert done.exit_code == USAGE
    assert "it is empty: is a variable in it unset?" in done.output


def test_a_file_name_is_kept_as_typed_and_completed_by_the_shell() -> None:
    assert parse(FILE, "./a/../b") == "./a/../b"
    (item,) = FILE.shell_complete(click.Context(click.Command("x")), click.Option(["--file"]), "inv")
    assert (item.type, item.value) == ("file", "inv")
