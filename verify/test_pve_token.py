"""API tokens of Proxmox: there, as declared, with their value in the secret store."""

import pytest

from phoenix_hypervisor.dialects import user_cfg
from phoenix_hypervisor.kinds.pve_token import ANOTHER, NONE_THERE, NOT_KEPT
from phoenix_hypervisor.resource import made
from phoenix_hypervisor.secrets import RUN_KEY

NOTES = f"ls {made('pve_token', '')} 2>/dev/null || :"
# `printf` is the shell's own: a value is never another process's argument, and only its digest leaves.
VALUES = f"""\
set -e
file=/etc/pve/priv/token.cfg
[ -e "$file" ] || exit 0
while read -r name value; do
    printf '%s %s\\n' "$name" "$(printf '%s:%s' {RUN_KEY} "$value" | sha256sum)"
done <"$file"
"""


def test_present(host, pve_token):
    assert (pve_token.name in _config(host).tokens) == pve_token.present


@pytest.mark.precondition
def test_can_be_made(host, pve_token):
    """Whose it is exists, and the store takes what the node will tell once."""
    assert _hindrance(host, pve_token) == {}


def test_settings(host, pve_token):
    actual = _config(host).tokens[pve_token.name]._asdict()
    assert {name: actual[name] for name in pve_token.settings} == pve_token.settings


def test_value(host, pve_token):
    assert _value(host, pve_token) == "as declared"


def owned(host):
    """Tokens we noted as made by us that are still there."""
    return set(host.run_expect([0], NOTES).stdout.split()) & set(_config(host).tokens)


def _hindrance(host, pve_token):
    owner, secret = user_cfg.owner_of(pve_token.name), pve_token.value
    if owner not in _config(host).users and not pve_token.given("pve_user"):
        return {"owner": f"there is no user {owner}: make it first, or declare it"}
    if secret.known() and not pve_token.overwrite:
        said = f"the secret `{secret.name}` has a value already, and a new token has another one"
        return {"store": f"{said}: `phoenix secrets remove {secret.name}`, or `overwrite: true`"}
    closed = secret.closed()
    return {"store": closed.message} if closed else {}


def _value(host, pve_token):
    """How the store stands to the node, in a word, or why the store cannot be put right."""
    rows = (line.split() for line in host.run_expect([0], VALUES).stdout.splitlines())
    there = {row[0]: row[1] for row in rows if len(row) > 1}.get(pve_token.name)
    secret = pve_token.value
    if there is None:
        return NONE_THERE
    known = secret.known()
    if known and there == secret.keyed_digest(bytes.decode):
        return "as declared"
    closed = secret.closed()
    if closed and (pve_token.overwrite or not known):
        return closed.message
    return ANOTHER if known else NOT_KEPT


def _config(host):
    return user_cfg.parse(host.run_expect([0], user_cfg.QUESTION).stdout)
