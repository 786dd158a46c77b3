"""pveam: appliance templates, from an index that is the lab's own copy of Proxmox's list of names."""

import os
import sys

import appliances
import model
import storage_config
import storage_use
import storage_volumes
from storage_rules import Refused

SECTIONS = ("system", "mail", "turnkeylinux")
MORE = "/var/lib/pve-manager/apl-info/releases.turnkeylinux.org"
"""The second list, which a node has after its first `pveam update`."""
USAGE = {
    "available": " [OPTIONS]", "download": "<storage> <template>", "list": "<storage>",
    "remove": "<template_path>", "update": "",
}  # fmt: skip


def main(argv: list[str]) -> int:
    verbs = {
        "available": _available,
        "download": _download,
        "list": _list,
        "remove": _remove,
        "update": _update,
    }
    if not argv or argv[0] not in verbs:
        model.not_simulated("pveam", argv)
    try:
        return verbs[argv[0]](argv[1:])
    except Refused as refused:
        print(str(refused).rstrip(), file=sys.stderr)
        return 255


def _wrong(verb: str, faults: str) -> Refused:
    return Refused(f"400 Parameter verification failed.\n{faults}\npveam {verb} {USAGE[verb]}")


def _words(verb: str, argv: list[str], count: int) -> list[str]:
    if len(argv) != count:
        amount = "not enough" if len(argv) < count else "too many"
        raise Refused(f"400 {amount} arguments\npveam {verb} {USAGE[verb]}")
    return argv


def _index() -> tuple[str, ...]:
    """Return the appliances; a list that was never fetched is told about."""
    if not os.path.exists(model.path(MORE)):
        print(f"unable to open file '{MORE}' - No such file or directory", file=sys.stderr)
    return appliances.SYSTEM


def _available(argv: list[str]) -> int:
    section = argv[-1].partition("=")[2] or argv[-1] if argv else "system"
    if argv and argv[0].partition("=")[0] not in ("--section", "-section"):
        model.not_simulated("pveam", ["available", *argv])
    if section not in SECTIONS:
        text = f"value '{section}' does not have a value in the enumeration '{', '.join(SECTIONS)}'"
        raise _wrong("available", f"section: {text}")
    for name in _index() if section == "system" else []:
        print(f"{'system':<15} {name}")
    return 0


def _storage(name: str) -> storage_config.Storage:
    found = storage_config.load().get(name)
    if found is None:
        raise Refused(f"storage '{name}' does not exist")
    if "vztmpl" not in storage_config.content(found):
        raise Refused(f"storage '{name}' does not support templates")
    storage_use.activate(name, found)
    return found


def _list(argv: list[str]) -> int:
    name = _words("list", argv, 1)[0]
    volumes = storage_volumes.listing(name, _storage(name), ["vztmpl"])
    print(f"{'NAME':<60} {'SIZE':<6}")
    for volume in volumes:
        print(f"{volume.volid:<60} {volume.size / 2**20:.2f}MB")
    return 0


def _download(argv: list[str]) -> int:
    name, template = _words("download", argv, 2)
    storage = _storage(name)
    if template not in _index():
        print(_wrong("download", "template: no such template"), file=sys.stderr)
        return 2
    final = f"{storage_use.subfolder(storage, 'vztmpl')}/{template}"
    place, content = model.path(final), appliances.archive(template)
    if os.path.exists(place):
        with open(place, "rb") as file:
            if file.read() == content:
                print("OK, got correct file already, no need to re-download")
                return 0
    print(f"downloading {appliances.SOURCE}{template} to {final}")
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(f"{place}.tmp_dwnl", "wb") as file:
        file.write(content)
    print("calculating checksum...OK, checksum verified")
    os.replace(f"{place}.tmp_dwnl", place)
    print(f"download of '{appliances.SOURCE}{template}' to '{final}' finished")
    return 0


def _remove(argv: list[str]) -> int:
    volid = _words("remove", argv, 1)[0]
    name, rest = storage_volumes.split(volid)
    storage = _storage(name)
    place = storage_volumes.path_of(storage, rest)
    if not os.path.exists(model.path(place)):
        print(f"volume '{volid}' does not exist", file=sys.stderr)
        return 2
    os.unlink(model.path(place))
    return 0


def _update(argv: list[str]) -> int:
    _words("update", argv, 0)
    os.makedirs(os.path.dirname(model.path(MORE)), exist_ok=True)
    with open(model.path(MORE), "w", encoding="utf-8") as file:
        file.write("")
    print("update successful")
    return 0
