"""Users, roles and access lists of Proxmox as they are on a node. No password and no token is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dialects import user_cfg
from .found import Found, Left, Thing


def people(answers: Mapping[str, str]) -> Found:
    """Yield who there is, and who may do what."""
    config = user_cfg.parse(answers["users"])
    for name, privileges in config.roles.items():
        yield Thing("pve_role", name, {"privileges": sorted(privileges)})
    for name, user in config.users.items():
        if name != user_cfg.ROOT:
            yield Thing("pve_user", name, _settings(user, user_cfg.groups_of(config, name)))
    for name in config.tokens:
        yield Left("pve_token", name, "Proxmox shows a token's value once: it cannot be read")
    for access, roles in config.access.items():
        name = f"{access.path} {access.who}"
        if len(set(roles.values())) > 1:
            yield Left("pve_acl", name, "some of its roles hold below the path and some do not")
        else:
            below = {} if all(roles.values()) else {"propagate": False}
            yield Thing("pve_acl", name, {"roles": sorted(roles), **below})


def _settings(user: user_cfg.User, groups: frozenset[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: getattr(user, name)
        for name in ("comment", "email", "firstname", "lastname", "expire")
        if getattr(user, name)
    }
    found |= {} if user.enable else {"enable": False}
    return found | ({"groups": sorted(groups)} if groups else {})
