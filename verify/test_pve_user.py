"""Users of Proxmox: there, as declared, in their groups, with the password of the secret store."""

from phoenix_hypervisor.dialects import crypted, user_cfg
from phoenix_hypervisor.resource import made
from phoenix_hypervisor.secrets import Text

NOTES = f"ls {made('pve_user', '')} 2>/dev/null || :"
SHADOW = "/etc/pve/priv/shadow.cfg"


def test_present(host, pve_user):
    assert (pve_user.name in _config(host).users) == pve_user.present


def test_settings(host, pve_user):
    actual = _config(host).users[pve_user.name]._asdict()
    assert {name: actual[name] for name in pve_user.settings} == pve_user.settings


def test_groups(host, pve_user):
    desired = pve_user.groups if pve_user.groups is not None else None
    actual = user_cfg.groups_of(_config(host), pve_user.name) if desired is not None else None
    assert actual == desired


def test_password(host, pve_user, feed):
    """The node hashes ours with the salt it has, and says whether that is the same."""
    same = pve_user.password is None or _proved(feed, pve_user)
    assert ("as declared" if same else "another one") == "as declared"


def seen(host, pve_user):
    """Everybody: who the last administrator is depends on all."""
    return _config(host)


def owned(host):
    """Users we noted as made by us that are still there."""
    return set(host.run_expect([0], NOTES).stdout.split()) & set(_config(host).users)


def _proved(feed, pve_user):
    name = pve_user.name.rpartition("@")[0]
    proof = crypted.proof(SHADOW, name)
    # a node on which nobody ever had a password has no such file
    answer = feed(f"if [ -e {SHADOW} ]; then {proof}; else echo another; fi", Text(pve_user.password, "\n"))
    if answer.rc != 0:
        raise RuntimeError(f"the node could not compare the password: {answer.stderr.strip()}")
    return answer.stdout == "same\n"


def _config(host):
    return user_cfg.parse(host.run_expect([0], user_cfg.QUESTION).stdout)
