"""Unix accounts: there, as declared, with their password, their keys and their rules of sudo."""

import shlex

from phoenix_hypervisor.dialects import accounts, crypted
from phoenix_hypervisor.resource import made
from phoenix_hypervisor.secrets import Text

NOTES = f"ls {made('unix_user', '')} 2>/dev/null || :"
KEYS = """\
set -e
home=$(awk -F: -v user=%s '$1 == user { print $6 }' /etc/passwd)
file=$home/.ssh/authorized_keys
if [ -h "$home/.ssh" ] || [ -h "$file" ]; then echo link
elif [ ! -e "$file" ]; then echo none
else
    folder=$(stat -c '%%U %%a' "$home/.ssh")
    access=$(stat -c '%%U %%a' "$file")
    echo "$folder $access"
    cat "$file"
fi
"""
RULES = """\
set -e
if [ -e %s ]; then stat -c '%%U %%a' %s; cat %s; fi
"""


def test_present(host, unix_user):
    assert (unix_user.name in _accounts(host).found) == unix_user.present


def test_settings(host, unix_user):
    actual = _account(host, unix_user)._asdict()
    assert {name: actual[name] for name in unix_user.settings} == unix_user.settings


def test_password(host, unix_user, feed):
    """The host hashes ours with the salt it has, and says whether that is the same."""
    same = unix_user.password is None or _proved(feed, unix_user)
    assert ("as declared" if same else "another one") == "as declared"


def test_locked(host, unix_user):
    password = _account(host, unix_user).password
    # whoever never had a password cannot log in by one either
    locked = password == "locked" or (password == "none" and unix_user.locked)
    assert (locked if unix_user.locked is not None else None) == unix_user.locked


def test_keys(host, unix_user):
    _, found = _keys(host, unix_user)
    wanted = frozenset(unix_user.authorized_keys or ())
    if unix_user.authorized_keys is None or unix_user.other_keys == "keep":
        found &= wanted
    assert found == wanted


def test_keys_access(host, unix_user):
    """sshd reads no keys that somebody else could have written."""
    access, _ = _keys(host, unix_user)
    right = f"{unix_user.name} 700 {unix_user.name} 600"
    wanted = right if unix_user.authorized_keys else access
    assert {"keys_access": access} == {"keys_access": wanted}


def test_sudo(host, unix_user):
    _, found = _rules(host, unix_user)
    assert {"sudo": found} == {"sudo": found if unix_user.sudo is None else unix_user.rules}


def test_sudo_access(host, unix_user):
    access, _ = _rules(host, unix_user)
    assert {"sudo_access": access} == {"sudo_access": "root 440" if unix_user.rules else access}


def seen(host, unix_user):
    """All accounts, and as whom we came: our own keys are changed with care."""
    return _accounts(host)


def owned(host):
    """Accounts we noted as made by us that are still there."""
    noted = set(host.run_expect([0], NOTES).stdout.split())
    return noted & set(_accounts(host).found) if noted else set()


def _proved(feed, unix_user):
    answer = feed(crypted.proof("/etc/shadow", unix_user.name), Text(unix_user.password, "\n"))
    if answer.rc != 0:
        raise RuntimeError(f"the host could not compare the password: {answer.stderr.strip()}")
    return answer.stdout == "same\n"


def _keys(host, unix_user):
    """Who may read and write the file, and what is in it; a link is not followed."""
    first, *lines = host.run_expect([0], KEYS % shlex.quote(unix_user.name)).stdout.splitlines()
    return first.strip(), frozenset(accounts.keys("\n".join(lines)))


def _rules(host, unix_user):
    """Whose its file is, and the rules without comments."""
    first, *lines = host.run_expect([0], RULES % ((unix_user.sudoers,) * 3)).stdout.splitlines() or [""]
    return first, "".join(f"{line}\n" for line in lines if not line.startswith("#"))


def _account(host, unix_user):
    return _accounts(host).found[unix_user.name]


def _accounts(host):
    return accounts.parse(host.run_expect([0], accounts.QUESTION).stdout)
