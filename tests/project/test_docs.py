"""What the help says and what the documents say hold together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from fleetsweep import exit_codes
from fleetsweep.cli import SUMMARIES, cli
from fleetsweep.model.host import Host
from fleetsweep.model.policy_flags import Flags, option_name
from fleetsweep.policy.rules import Policy
from fleetsweep.policy.settings import resolve

ROOT = Path(__file__).parents[2]
SAFETY = ROOT / "docs" / "safety.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHER_PROGRAMS = {
    "--list": "an inventory script",
    "--require-hashes": "pip",
    "--upgrade": "pip",
    **dict.fromkeys(("--build-arg", "--rm", "--read-only", "--cap-drop", "--security-opt", "--network"), "podman"),
    "--group-add": "podman",
    **dict.fromkeys(
        ("--protocol", "--port", "--no-dashboard", "--tls-ca-file", "--tls-cert", "--tls-key"), "dask scheduler"
    ),
    "--now": "systemctl",
}
"""Options that the pages name and that are not ours, with the program that takes each."""

CONTEXT = click.Context(cli)
COMMANDS = {name: cli.get_command(CONTEXT, name) for name in SUMMARIES}


def test_every_command_is_in_the_readme_and_the_readme_names_no_other() -> None:
    named = set(re.findall(r"fleetsweep (audit|sweep|hosts|[a-z]+) ", (ROOT / "README.md").read_text()))
    assert set(SUMMARIES) <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_that_a_page_names_exists(page: Path) -> None:
    known = {text for command in COMMANDS.values() if command for param in command.params for text in param.opts}
    shown = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", page.read_text()))
    assert shown - {"--help", *OTHER_PROGRAMS} <= known


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"], ids=lambda page: page.name)
def test_every_link_to_a_file_or_a_heading_leads_there(page: Path) -> None:
    missing = []
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
        file = page.parent / target if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            missing.append(f"{target}#{anchor}")
    assert missing == []


def anchors(page: Path) -> set[str]:
    """Return the anchors that a code host makes of a page's headings."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_readme_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text()
    assert [page.name for page in PAGES if page.parent.name == "docs" and f"(docs/{page.name})" not in text] == []


def test_the_table_of_settings_says_what_holds() -> None:
    rows = re.findall(r"^\| .*? \| `--([a-z-]+)` \| (.*?) \| (.*?) \| (.*?) \|$", SAFETY.read_text(), re.MULTILINE)
    flags = {text.removeprefix("--") for param in command("sweep").params for text in param.opts}
    assert {f"--{flag}" for flag, *_ in rows} == {option_name(name) for name in Flags.__dataclass_fields__}
    given: dict[str, object] = {}
    for flag, environment, variable, default in rows:
        assert flag in flags
        assert environment.strip("`").startswith(f"FLEETSWEEP_{flag.replace('-', '_').upper()}") or flag == "dry-run"
        if default.startswith("`"):
            given[variable.strip("`").removeprefix("fleetsweep_")] = _typed(default.strip("`"))
    host = Host("a", "a", variables={f"fleetsweep_{name}": value for name, value in given.items()})
    assert resolve(Flags(), {}, host) == Policy()


def command(name: str) -> click.Command:
    found = COMMANDS[name]
    assert found is not None
    return found


def _typed(text: str) -> object:
    return int(text) if text.isdigit() else text


def test_every_option_says_what_it_does() -> None:
    for name in SUMMARIES:
        for option in command(name).params:
            if isinstance(option, click.Argument):
                assert option.make_metavar(CONTEXT) in (command(name).help or "")
                continue
            assert isinstance(option, click.Option)
            assert option.help, f"{name} {option.opts}"


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_top_level_help_has_the_first_line_of_each_commands_help(name: str) -> None:
    assert (command(name).help or "").splitlines()[0] == SUMMARIES[name]


@pytest.mark.parametrize("name", [None, *SUMMARIES])
def test_help_fits_a_terminal_of_80_columns(name: str | None) -> None:
    found = CliRunner(env={"COLUMNS": "80"}).invoke(
        cli, [name, "--help"] if name else ["--help"], prog_name="fleetsweep"
    )
    assert found.exit_code == 0
    assert [line for line in found.output.splitlines() if len(line) > 80] == []


def test_the_readmes_exit_codes_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| ([0-9, +]+) \| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {int(code) for codes, _ in rows for code in codes.split(",")} >= set(exit_codes.MEANINGS)
    shown = CliRunner().invoke(cli, ["--help"]).output
    for code, meaning in exit_codes.MEANINGS.items():
        assert re.search(rf"^ +{code} +{re.escape(meaning)}$", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("ho", {"plain,hold", "plain,hosts"}),
        ("sweep --dry", {"plain,--dry-run"}),
        ("audit --format j", {"plain,json", "plain,jsonl"}),
        ("audit -i inv", {"file,inv"}),
        ("sweep --plan ", {"file,"}),
        ("history --state-dir /var", {"dir,/var"}),
    ],
)
def test_a_shell_completes_what_was_begun(line: str, answers: set[str]) -> None:
    words = ["fleetsweep", *line.split(" ")]
    environment = {**os.environ, "_FLEETSWEEP_COMPLETE": "bash_complete"}
    environment |= {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    program = Path(sys.executable).with_name("fleetsweep")
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=True)
    assert set(done.stdout.splitlines()) == answers


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_readmes_line_prints_what_a_shell_reads(shell: str) -> None:
    assert f"{shell}_source" in (ROOT / "README.md").read_text()
    program = Path(sys.executable).with_name("fleetsweep")
    environment = {**os.environ, "_FLEETSWEEP_COMPLETE": f"{shell}_source"}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=True)
    assert "_fleetsweep_completion" in done.stdout
