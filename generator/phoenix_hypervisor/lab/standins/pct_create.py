"""`pct create`: volumes, the template unpacked in them, the conf."""

import os
import re
import sys

import guest_archive
import guest_conf
import guest_formats
import guest_mounts
import guest_nets
import guest_owners
import guest_plan
import guest_setup
import guest_volumes
import model
import pct_set
from guest_conf import Conf, Refused
from guest_options import Call
from storage_rules import Refused as StorageRefused

FOR_CREATING = (
    "vmid", "ostemplate", "bwlimit", "force", "ignore-unpack-errors", "password", "pool", "restore",
    "ssh-public-keys", "start", "storage", "unique",
)  # fmt: skip
"""What `pct create` takes and no conf holds."""
KEYS = ("rsa", "ecdsa", "ed25519")


def run(call: Call) -> int:
    vmid = call.vmid
    if call.on("restore") or call.on("template"):
        model.not_simulated("pct", ["create", "--restore" if call.on("restore") else "--template"])
    if "pool" in call.values:
        pool = call.values["pool"]
        raise Refused(f"403 Permission check failed (pool '{pool}' does not exist)", 2)
    conf = _wanted(call)
    keys = _public_keys(call)
    with guest_conf.locked(vmid, sys.stdout):
        guest_conf.refuse_if_used(vmid)
        _refuse_storages(conf, call)
        locked = Conf(vmid)
        locked.values["lock"] = "create"
        guest_conf.save(locked)
        made: list[str] = []
        try:
            _make(conf, call, keys, made)
        except StorageRefused as refused:
            for volid in made:
                guest_volumes.free(volid)
            guest_conf.remove(vmid)
            raise Refused(f"unable to create CT {vmid} - {refused}") from None
        guest_conf.save(conf)
    if call.on("start"):
        import pct_power

        pct_power.start(vmid)
    return 0


def _wanted(call: Call) -> Conf:
    """Return the conf that is asked for, as far as it can be known beforehand."""
    conf = Conf(call.vmid)
    conf.values = {
        "hostname": f"CT{call.vmid}",
        "memory": "512",
        "swap": "512",
        "rootfs": f"{call.values.get('storage', 'local')}:4",
    }
    for key, value in call.values.items():
        if key in FOR_CREATING:
            continue
        if key == "hookscript":
            pct_set.refuse_hookscript(value)
        if re.fullmatch(r"net\d+", key):
            guest_nets.refuse_large_packets(key, value)
            value = guest_nets.written(value)  # noqa: PLW2901
        conf.values[key] = pct_set.stored(key, value)
    return conf


def _refuse_storages(conf: Conf, call: Call) -> None:
    """Refuse storages that are not there, before anything is made."""
    template = call.values["ostemplate"]
    volumes = [
        mount["volume"] for mount in guest_mounts.every(conf).values() if not mount["volume"].startswith("/")
    ]
    for volid in [*([] if template.startswith("/") else [template]), *volumes]:
        guest_volumes.ready(guest_volumes.split(volid)[0])


def _public_keys(call: Call) -> str:
    """Return the keys in the file that is named."""
    file = call.values.get("ssh-public-keys", "")
    if not file:
        return ""
    try:
        with open(model.path(file), encoding="utf-8") as opened:
            return opened.read().rstrip() + "\n"
    except OSError as error:
        raise Refused(f"can't open '{file}' - {error.strerror}", 2) from None


def _make(conf: Conf, call: Call, keys: str, made: list[str]) -> None:
    """Make the volumes (noted in `made`) and fill them."""
    for key, mount in guest_mounts.every(conf).items():
        if guest_volumes.NEW.fullmatch(mount["volume"]):
            mount = pct_set.new_volume(conf.vmid, mount)  # noqa: PLW2901
            made.append(mount["volume"])
        conf.values[key] = guest_mounts.written(key, mount)
    archive = _archive(call.values["ostemplate"])
    root = _mounted(conf)
    print(f"extracting archive '{archive}'", flush=True)
    size = guest_archive.unpack(model.path(archive), root)
    if size is None:
        raise Refused(f"command 'tar xpf - -C /var/lib/lxc/{conf.vmid}/rootfs' failed: exit code 2")
    print(f"Total bytes read: {size} ({size / 2**20:.1f}MiB, {size / 2**20:.0f}MiB/s)")
    _fit(conf, root, archive)
    _write_login(root, keys, call.values.get("password", ""))
    guest_owners.shift(root, guest_plan.idmap(conf))
    os.makedirs(model.path(f"/var/lib/lxc/{conf.vmid}/rootfs"), exist_ok=True)


def _archive(template: str) -> str:
    path = template if template.startswith("/") else guest_volumes.image(template)
    if not os.path.isfile(model.path(path)):
        raise Refused(f"volume '{template}' does not exist")
    return path


def _mounted(conf: Conf) -> str:
    """Return the real path of the new root, in which the mount points have folders."""
    mounts = guest_mounts.every(conf)
    root = model.path(guest_volumes.place(mounts.pop("rootfs")["volume"]))
    for mount in mounts.values():
        try:
            guest_mounts.refuse_missing_source(mount)
        except Refused:
            print("mounting container failed")
            raise
        os.makedirs(root + "/" + mount["mp"].strip("/"), exist_ok=True)
    return root


def _fit(conf: Conf, root: str, archive: str) -> None:
    """Complete the conf with what the template turned out to be, and fit the root to the conf."""
    values = conf.values
    if "ostype" not in values:
        values["ostype"] = guest_archive.ostype(root)
        if values["ostype"] not in guest_formats.SETTINGS["ostype"].enum:
            print("/etc/os-release file not found and autodetection failed, falling back to 'unmanaged'")
            values["ostype"] = "unmanaged"
    if "arch" not in values:
        values["arch"] = _architecture(values["ostype"], archive)
    zone = values.get("timezone", "")
    if zone and values["ostype"] != "unmanaged":
        file = f"/usr/share/zoneinfo/{_host_zone() if zone == 'host' else zone}"
        if not os.path.exists(root + file) and not os.path.exists(model.path(file)):
            print(f"container does not have {file}, timezone can not be modified")
    if values["ostype"] != "unmanaged":
        guest_setup.write(root, conf)
        _make_keys(root, values["hostname"])


def _host_zone() -> str:
    try:
        with open(model.path("/etc/timezone"), encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return "Etc/UTC"


def _architecture(ostype: str, archive: str) -> str:
    """Tell the architecture by the template's name: there is no /bin/sh to look into, as Proxmox does."""
    if ostype == "unmanaged":
        print("implement me in sub-class\n at /usr/share/perl5/PVE/LXC/Setup.pm line 146.")
        print("Architecture detection failed: error in setup task (eval)\nFalling back to amd64.")
        print("Use `pct set VMID --arch ARCH` to change.")
        return "amd64"
    known = guest_formats.SETTINGS["arch"].enum
    found = next((arch for arch in known if f"_{arch}." in archive), "amd64")
    print(f"Detected container architecture: {found}")
    return found


def _make_keys(root: str, hostname: str) -> None:
    """Give the guest host keys of its own; they are not keys one could log in by."""
    import base64

    name = "localhost" if re.fullmatch(r"CT\d+", hostname) else hostname.partition(".")[0]
    os.makedirs(root + "/etc/ssh", exist_ok=True)
    for kind in sorted(KEYS, key=lambda _: os.urandom(4)):
        print(f"Creating SSH host key 'ssh_host_{kind}_key' - this may take some time ...")
        public = base64.b64encode(os.urandom(32)).decode().rstrip("=")
        place = f"{root}/etc/ssh/ssh_host_{kind}_key"
        _write(place, "a host key of the lab\n", 0o600)
        _write(place + ".pub", f"ssh-{kind} {public} root@{name}\n", 0o644)
        print(f"done: SHA256:{public} root@{name}")


def _write_login(root: str, keys: str, password: str) -> None:
    """Write root's public keys and password into the guest."""
    if keys:
        os.makedirs(root + "/root/.ssh", mode=0o700, exist_ok=True)
        _write(root + "/root/.ssh/authorized_keys", guest_setup.BEGIN + keys + guest_setup.END, 0o600)
    if password:
        import hashlib

        salt = os.urandom(8).hex()
        digest = hashlib.sha256((salt + password).encode()).hexdigest()
        lines = guest_setup.read(root, "/etc/shadow").splitlines()
        rest = [line for line in lines if not line.startswith("root:")]
        text = "\n".join([f"root:$lab${salt}${digest}:19800:0:99999:7:::", *rest])
        _write(root + "/etc/shadow", text + "\n", 0o640)


def _write(path: str, text: str, mode: int) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
