"""Samba shares: in our file, in the server's configuration, and usable."""

import shlex

import pytest

from phoenix_hypervisor.dialects import samba
from phoenix_hypervisor.resource import PENDING_FOLDER
from phoenix_hypervisor.secrets import Text

CONFIG = "testparm -s --suppress-prompt"
FILES = "grep -sH '' /etc/samba/smb.conf /etc/samba/phoenix.d/*.conf"


def test_present(host, samba_share):
    # both the file and the running configuration: a share that is only half there is made anew
    found = {samba_share.file in _files(host), samba.share(_config(host), samba_share.name) is not None}
    assert (found == {True} if samba_share.present else True in found) == samba_share.present


@pytest.mark.precondition
def test_name_is_free(host, samba_share):
    """A share of that name in somebody else's smb.conf is not ours to change."""
    assert {"foreign": _foreign(host, samba_share.name)} == {"foreign": False}


def test_foreign(host, samba_share):
    assert _foreign(host, samba_share.name) == False  # noqa: E712


def test_parameters(host, samba_share):
    # testparm leaves out what is Samba's default; of a parameter without a field here, we do not know that
    actual = {**samba_share.further, **samba.share(_config(host), samba_share.name)}
    assert {name: actual.get(name, "") for name in samba_share.parameters} == samba_share.parameters


def test_file(host, samba_share):
    actual = _files(host)[samba_share.file].get(samba_share.name.lower(), {})
    desired = {f"file {name}": value for name, value in samba_share.parameters.items() if value}
    assert {f"file {name}": value for name, value in actual.items()} == desired


def test_loaded(host, samba_share):
    """No change of the files still waits for the server to read it."""
    assert host.run_expect([0, 1], f"test -e {PENDING_FOLDER}/smbd").rc == 1


def test_service(host, samba_share):
    said = host.run_expect([0], "systemctl show -p ActiveState,UnitFileState smbd").stdout
    found = dict(line.split("=", 1) for line in said.splitlines())
    actual = {"active": found["ActiveState"], "enabled": found["UnitFileState"]}
    assert actual == {"active": "active", "enabled": "enabled"}


@pytest.mark.probe
def test_login(host, samba_share, feed, site):
    """The first of the declared users connects with the declared password; the password goes to stdin."""
    users = [user for user in samba_share.valid_users if not user.startswith("@")]
    if not users:
        pytest.skip("no single user is declared for this share")
    password = site.resource(samba_share, f"samba_user:{users[0]}").password
    share = shlex.quote(f"//127.0.0.1/{samba_share.name}")
    answer = _listed(
        feed, f"{share} -A /dev/stdin", Text(f"username = {users[0]}\npassword = ", password, "\n")
    )
    assert (answer.rc, _last(answer)) == (0, "")


@pytest.mark.probe
def test_stranger(host, samba_share, feed):
    """Without a password nobody gets in, unless guests are declared."""
    share = shlex.quote(f"//127.0.0.1/{samba_share.name}")
    answer = _listed(feed, f"{share} -U nobody%wrong", Text())
    assert (answer.rc == 0) == (samba_share.guest_ok and not samba_share.valid_users)


def owned(host):
    """Shares in files of our own."""
    found = _files(host)
    return {name.rpartition("/")[2].removesuffix(".conf") for name in found if "/phoenix.d/" in name}


def _listed(feed, options, stdin):
    """Ask for the share's list; smbclient ends with 0 or 1, anything else says nothing of the share."""
    answer = feed(f"smbclient {options} -c ls", stdin)
    if answer.rc not in (0, 1):
        raise RuntimeError(f"smbclient ended with {answer.rc}: {answer.stderr.strip()}")
    return answer


def _last(answer):
    return "" if answer.rc == 0 else (answer.stdout + answer.stderr).strip().splitlines()[-1]


def _config(host):
    return host.run_expect([0], CONFIG).stdout


def _foreign(host, name):
    return name.lower() in _files(host).get("/etc/samba/smb.conf", {})


def _files(host):
    return samba.files(host.run_expect([0, 1, 2], FILES).stdout)
