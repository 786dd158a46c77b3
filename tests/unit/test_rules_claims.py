"""One file is one kind's: two that want the same one are refused before anything is run."""

import pytest
from tests.unit.site_files import HOSTS, NODE, problems

FILES = {HOSTS: "pve:\n"}
TAKEN = {
    "sshd": ("sshd: {x11_forwarding: false}\n", "/etc/ssh/sshd_config.d/00-phoenix.conf", "sshd:pve"),
    "sudoers": (
        'unix_user: {heads: {sudo: ["ALL=(ALL:ALL) ALL"]}}\n',
        "/etc/sudoers.d/phoenix-heads",
        "unix_user:heads",
    ),
    "logrotate": (
        'logrotate: {app: {paths: ["/var/log/app.log"]}}\n',
        "/etc/logrotate.d/phoenix-app",
        "logrotate:app",
    ),
}


@pytest.mark.parametrize("what", TAKEN)
def test_two_kinds_that_want_the_same_file_are_refused(tmp_path, what):
    section, path, _ = TAKEN[what]
    said = problems(tmp_path, {**FILES, NODE: f"{section}host_file: {{{path}: {{content: mine}}}}\n"})
    assert "[V-29]" in said
    assert f"{path} is written by " in said
    assert TAKEN[what][2] in said


def test_one_that_is_declared_absent_takes_no_file(tmp_path):
    absent = "sshd: {state: absent}\nhost_file: {/etc/ssh/sshd_config.d/00-phoenix.conf: {content: mine}}\n"
    assert problems(tmp_path, {**FILES, NODE: absent}) == ""


@pytest.mark.parametrize("path", ["/etc/pve/firewall/cluster.fw", "/var/lib/phoenix/scripts/sshd/put.sh"])
def test_a_file_below_proxmoxs_folder_or_ours_is_no_host_file(tmp_path, path):
    said = problems(tmp_path, {**FILES, NODE: f"host_file: {{{path}: {{content: mine}}}}\n"})
    assert "must not lie below /" in said


def test_several_of_one_kind_share_their_script(tmp_path):
    node = "unix_user: {heads: {shell: /bin/bash}, tails: {shell: /bin/sh}}\n"
    assert problems(tmp_path, {**FILES, NODE: node}) == ""
