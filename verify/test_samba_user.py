"""Samba users: there, enabled, with the password of the secret store."""

from phoenix_hypervisor.dialects import samba
from phoenix_hypervisor.resource import made
from phoenix_hypervisor.secrets import RUN_KEY

# `printf` is the shell's own: the hash is never another process's argument, and only its digest leaves.
USERS = f"""\
set -e
users=$(pdbedit -L -w)
printf '%s\\n' "$users" | while IFS=: read -r name _ _ hash flags _; do
    [ -z "$name" ] || printf '%s %s %s\\n' "$name" "$(printf '%s:%s' {RUN_KEY} "$hash" | sha256sum)" "$flags"
done
"""
NOTES = f"ls {made('samba_user', '')} 2>/dev/null || :"


def test_present(host, samba_user):
    assert (samba_user.name in _users(host)) == samba_user.present


def test_password(host, samba_user):
    digest, _ = _users(host)[samba_user.name]
    same = digest == samba_user.password.keyed_digest(samba.nt_hash)
    assert ("as declared" if same else "another one") == "as declared"


def test_enabled(host, samba_user):
    _, flags = _users(host)[samba_user.name]
    assert ("D" in flags) == False  # noqa: E712  (one comparison, both sides to be shown)


def owned(host):
    """Users we noted as made by us that are still there."""
    return set(host.run_expect([0], NOTES).stdout.split()) & set(_users(host))


def _users(host):
    lines = host.run_expect([0], USERS).stdout.splitlines()
    return {name: (digest, rest) for name, digest, rest in (line.split(" ", 2) for line in lines)}
