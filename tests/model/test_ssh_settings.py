"""The table of ssh_config(5)'s settings, against the docs and against the installed manual and client."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fleetsweep.model.ssh_settings import ALIASES, DEPRECATED, SETTINGS, Verdict, find_setting, is_refused

DOCS = Path(__file__).parents[2] / "docs" / "ssh.md"


def documented() -> dict[str, str]:
    """Return the verdict of each setting in the docs' table."""
    found: dict[str, str] = {}
    for line in DOCS.read_text().splitlines():
        row = re.fullmatch(r"\| (`[^|]*`) \| (honoured|refused|passed over)\b[^|]* \| [^|]+ \|", line)
        if row is not None:
            for name in re.findall(r"`(\w+)`", row[1]):
                assert name not in found, name
                found[name] = row[2]
    return found


def test_the_docs_and_the_table_name_the_same_settings_with_the_same_verdicts() -> None:
    assert documented() == {setting.name: str(setting.verdict) for setting in SETTINGS.values()}


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs the OpenSSH client")
def test_every_setting_that_ssh_prints_is_in_the_table() -> None:
    done = subprocess.run(["ssh", "-G", "-F", "/dev/null", "box"], capture_output=True, text=True, check=True)
    printed = {line.split(" ")[0].lower() for line in done.stdout.splitlines()}
    assert {name for name in printed if find_setting(name) is None} == set()


@pytest.mark.skipif(shutil.which("man") is None, reason="needs the manual")
def test_every_setting_of_the_manual_is_in_the_table() -> None:
    done = subprocess.run(["man", "ssh_config"], capture_output=True, text=True, check=False, env={"MANWIDTH": "80"})
    text = re.sub(r".\x08", "", done.stdout)
    options = text.partition("DESCRIPTION")[2].partition("PATTERNS")[0]
    named = re.findall(r"^ {5}([A-Z][A-Za-z0-9]+)(?: |$)", options, re.MULTILINE)
    words = {"The", "For", "Since", "Note", "Empty", "Arguments", "Unless", "It", "If"}
    assert {name for name in named if name not in words and find_setting(name) is None} == set()


def test_a_setting_is_found_in_any_case_and_by_its_aliases() -> None:
    for alias, name in ALIASES.items():
        found = find_setting(alias)
        assert found is SETTINGS.get(name, found)
    found = find_setting("HOSTNAME")
    assert found is not None
    assert found.name == "HostName"
    assert all(find_setting(name) is not None for name in DEPRECATED)
    assert find_setting("NoSuchSetting") is None


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [
        ("CheckHostIP", "yes", True),
        ("CheckHostIP", "No", False),
        ("PubkeyAuthentication", "no", True),
        ("PubkeyAuthentication", "yes", False),
        ("PreferredAuthentications", "password,keyboard-interactive", True),
        ("PreferredAuthentications", "gssapi-with-mic,publickey", False),
        ("KnownHostsCommand", "/bin/keys %H", True),
        ("KnownHostsCommand", "none", False),
        ("BindAddress", "10.0.0.1", True),
        ("RefuseConnection", "no more", True),
        ("Ciphers", "aes128-ctr", False),
        ("HostName", "x", False),
    ],
)
def test_a_refused_setting_has_values_that_do_nothing(name: str, value: str, refused: bool) -> None:
    setting = find_setting(name)
    assert setting is not None
    assert is_refused(setting, value) is refused


def test_every_refused_setting_has_a_remedy() -> None:
    assert all(setting.remedy for setting in SETTINGS.values() if setting.verdict is Verdict.REFUSED)
