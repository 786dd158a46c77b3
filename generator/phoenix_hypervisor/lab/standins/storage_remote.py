"""NFS and CIFS storages on the node's own servers, mounted as the stand-in for `mount` does it."""

import os

import model
from storage_config import Storage
from storage_rules import Refused

PASSWORDS = "/etc/pve/priv/storage"


def mount(name: str, storage: Storage) -> None:
    """Mount a remote storage at its path, unless it is mounted already."""
    from exports_clients import mounts
    from exports_table import address_of

    server, path = storage["server"], storage["path"]
    state = model.read()
    known = server == state.get("hostname") or address_of(server) is not None
    if not known or not _online(state, name, storage):
        raise Refused(f"storage '{name}' is not online")
    if path in mounts(state):
        return
    os.makedirs(model.path(path), exist_ok=True)
    if storage["type"] == "nfs":
        import tool_mount

        with model.change() as changed:
            problem = tool_mount.attach(changed, f"{server}:{storage['export']}", path, "4")
        if problem:
            raise Refused(f"mount error: mount.nfs: {problem}")
    else:
        _attach_share(name, storage)


def _online(state: model.Model, name: str, storage: Storage) -> bool:
    import units

    if storage["type"] == "nfs":
        return units.active(state, "nfs-server")
    return units.active(state, "smbd") and _share_root(state, name, storage) is not None


def _share_root(state: model.Model, name: str, storage: Storage) -> str | None:
    """Return the folder behind a share if the storage's user may connect to it."""
    from samba_session import Denied, Session

    session = Session(state, "127.0.0.1")
    try:
        session.log_in(storage.get("username", ""), password(name))
        return session.connect(storage["share"]).root
    except Denied:
        return None


def _attach_share(name: str, storage: Storage) -> None:
    import tool_mount
    from exports_clients import mounts

    with model.change() as state:
        root = _share_root(state, name, storage)
        if root is not None:
            source = f"//{storage['server']}/{storage['share']}"
            mounts(state)[storage["path"]] = tool_mount.link(storage["path"], root, source)


def keep_password(name: str, value: str) -> None:
    """Store a storage's password where only root reads it; it never gets into storage.cfg."""
    final = model.path(f"{PASSWORDS}/{name}.pw")
    os.makedirs(os.path.dirname(final), exist_ok=True)
    with open(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(f"password={value}\n")


def password(name: str) -> str:
    try:
        with open(model.path(f"{PASSWORDS}/{name}.pw"), encoding="utf-8") as file:
            return file.read().rstrip("\n").partition("=")[2]
    except FileNotFoundError:
        return ""


def forget_password(name: str) -> None:
    if os.path.exists(model.path(f"{PASSWORDS}/{name}.pw")):
        os.unlink(model.path(f"{PASSWORDS}/{name}.pw"))
