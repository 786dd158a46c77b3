"""What cloud-init does in a machine that starts: users, keys, files, packages, commands, network.

It does so once for each instance, which the drive's meta-data names; the network's files it writes at every
start where the user-data says so. What went wrong stands in /run/cloud-init/result.json, as it is there.
"""

import json
import os
import shlex

import model
import qm_drives
import qm_run
import qm_yaml
from guest_paths import inner
from hints import Any

INSTANCE = "/var/lib/cloud/data/instance-id"
RESULT = "/run/cloud-init/result.json"
IMAGE_USER = "ubuntu"
"""The user that an image's own configuration calls `default`."""


def run(vmid: str, volid: str) -> None:
    """Let cloud-init do its part of a start."""
    root = model.path(qm_run.row(vmid)["plan"]["root"])  # type: ignore[index]
    if not os.path.isdir(inner(root, "/etc/cloud")):
        return
    errors: list[str] = []
    texts = {name: _read(volid, name) for name in ("user-data", "network-config", "meta-data")}
    try:
        meta = qm_yaml.read(texts["meta-data"])
        settings = _settings(texts["user-data"])
    except qm_yaml.NotReadError as error:
        meta, settings = {"instance-id": "unread"}, {}
        errors.append(str(error))
    known = _inside(root, INSTANCE)
    new = known.strip() != str(meta.get("instance-id"))
    when = (settings.get("updates") or {}).get("network") or {}
    if new or "boot" in when.get("when", ()):
        _write(root, "/etc/netplan/50-cloud-init.yaml", texts["network-config"], 0o600)
    if new:
        errors += _first(vmid, root, settings)
        _write(root, INSTANCE, f"{meta.get('instance-id')}\n")
    result = {"v1": {"datasource": "DataSourceNoCloud [seed=/dev/sr0]", "errors": errors}}
    _write(root, RESULT, json.dumps(result, indent=1) + "\n")


def _read(volid: str, name: str) -> str:
    try:
        with open(f"{model.path(qm_drives.content(volid))}/{name}", encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _settings(text: str) -> dict[str, Any]:
    """Read user-data; what does not begin as a cloud-config is nothing to cloud-init."""
    if not text.startswith("#cloud-config"):
        return {}
    found = qm_yaml.read(text)
    if not isinstance(found, dict):
        raise qm_yaml.NotReadError("the cloud-config is no mapping")
    return found


def _inside(root: str, path: str) -> str:
    try:
        with open(inner(root, path), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _write(root: str, path: str, text: str, mode: int = 0o644) -> None:
    place = inner(root, path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(place, mode)


def _first(vmid: str, root: str, settings: dict[str, Any]) -> list[str]:
    """Do what is done once; return what went wrong."""
    errors = []
    name = str(settings.get("hostname") or settings.get("fqdn", "")).partition(".")[0]
    if name:
        _write(root, "/etc/hostname", name + "\n")
        if settings.get("manage_etc_hosts"):
            full = settings.get("fqdn", name)
            _write(root, "/etc/hosts", f"127.0.1.1 {full} {name}\n127.0.0.1 localhost\n::1 localhost\n")
    if settings.get("timezone"):
        _write(root, "/etc/timezone", f"{settings['timezone']}\n")
    files = [one for one in settings.get("write_files") or () if not one.get("defer")]
    later = [one for one in settings.get("write_files") or () if one.get("defer")]
    stages = [
        *[_file(one) for one in files],
        *[_command(one) for one in settings.get("bootcmd") or ()],
        *_users(settings),
        *_packages(settings),
        *[_file(one) for one in later],
        *[_command(one) for one in settings.get("runcmd") or ()],
    ]
    for what, script in stages:
        status, out, err = qm_run.inside(vmid, ["/bin/sh", "-c", script])
        log = (out + err).decode(errors="replace")
        if log:
            with open(inner(root, "/var/log/cloud-init-output.log"), "a", encoding="utf-8") as file:
                file.write(log)
        if status:
            errors.append(f"('{what}', RuntimeError('exit status {status}: {log.strip()[-200:]}'))")
    return errors


Stage = tuple[str, str]
"""What it is called, and shell for inside the machine."""


def _file(one: dict[str, Any]) -> Stage:
    path, mode = shlex.quote(one["path"]), one.get("permissions", "0644")
    sign = ">>" if one.get("append") else ">"
    lines = [f'mkdir -p "$(dirname {path})"', f"printf %s {shlex.quote(one.get('content', ''))} {sign}{path}"]
    lines.append(f"chmod {mode} {path}")
    if one.get("owner", "root:root") != "root:root":
        lines.append(f"chown {shlex.quote(one['owner'])} {path}")
    return "write_files", "set -e\n" + "\n".join(lines)


def _command(one: "str | list[str]") -> Stage:
    return "runcmd", one if isinstance(one, str) else shlex.join(map(str, one))


def _users(settings: dict[str, Any]) -> list[Stage]:
    found = []
    for one in settings.get("users") or ["default"]:
        if one == "default":
            name = str(settings.get("user") or IMAGE_USER)
            user: dict[str, Any] = {"name": name, "shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL"}
            user |= {"ssh_authorized_keys": settings.get("ssh_authorized_keys") or []}
            if settings.get("password"):
                user["hashed_passwd"] = settings["password"]
        else:
            user = one
        found.append(("users_groups", _user(user)))
    return found


def _user(user: dict[str, Any]) -> str:
    name = shlex.quote(user["name"])
    groups = user.get("groups") or []
    groups = [one.strip() for one in (groups.split(",") if isinstance(groups, str) else groups)]
    words = ["useradd", "-m", *(["-s", user["shell"]] if user.get("shell") else [])]
    words += ["-c", user["gecos"]] if user.get("gecos") else []
    words += ["-G", ",".join(groups)] if groups else []
    number = "$((2000 + $(wc -l </etc/group)))"
    lines = ["set -e"]
    lines += [f"grep -q '^{one}:' /etc/group || echo '{one}:x:'{number}':' >>/etc/group" for one in groups]
    lines.append(f"grep -q ^{name}: /etc/passwd || {shlex.join(words)} {name}")
    if user.get("hashed_passwd"):
        secret = shlex.quote(f"{user['name']}:{user['hashed_passwd']}")
        lines.append(f"printf '%s\\n' {secret} | chpasswd -e")
    keys = user.get("ssh_authorized_keys") or []
    if keys:
        home = f"$(grep ^{name}: /etc/passwd | cut -d: -f6)"
        text = shlex.quote("".join(f"{key}\n" for key in keys))
        lines += [f'mkdir -p "{home}/.ssh"', f'printf %s {text} >"{home}/.ssh/authorized_keys"']
        lines += [f'chmod 0600 "{home}/.ssh/authorized_keys"']
    if user.get("sudo"):
        rights = user["sudo"] if isinstance(user["sudo"], list) else [user["sudo"]]
        text = shlex.quote("".join(f"{user['name']} {right}\n" for right in rights))
        lines += ["mkdir -p /etc/sudoers.d", f"printf %s {text} >>/etc/sudoers.d/90-cloud-init-users"]
    return "\n".join(lines)


def _packages(settings: dict[str, Any]) -> list[Stage]:
    names = settings.get("packages") or []
    if not names and not settings.get("package_update"):
        return []
    install = shlex.join(["apt-get", "install", "-y", *map(str, names)])
    lines = ["export DEBIAN_FRONTEND=noninteractive", "apt-get update", *([install] if names else [])]
    return [("package_update_upgrade_install", " && ".join(lines))]
