"""The settings of Ansible's configuration that are not read."""

from __future__ import annotations

from fleetsweep.inventory.ansible_cfg import Unread
from fleetsweep.report import render_unread


def test_each_setting_is_listed_below_what_sets_it_with_what_to_write() -> None:
    settings = [
        Unread("/a/ansible.cfg", "remote_user", "ci\x1b[2J", "ansible_user=ci"),
        Unread("environment", "ANSIBLE_SSH_ARGS", "", "ansible_ssh_args=…"),
    ]
    assert render_unread(settings).splitlines() == [
        "Ansible's configuration is not read. What it sets, and what to write instead:",
        "  /a/ansible.cfg",
        "    remote_user = ci\\x1b[2J: ansible_user=ci",
        "  environment",
        "    ANSIBLE_SSH_ARGS: ansible_ssh_args=…",
    ]


def test_without_settings_nothing_is_printed() -> None:
    assert render_unread([]) == ""
