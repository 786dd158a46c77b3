"""`zpool set`, `offline`, `online`, `scrub`, `trim`, `wait`, `sync`, `clear`, `history`."""

import time

import model
import zfs_options
import zpool_props
import zpool_show
import zpool_vdevs
from hints import Any
from zfs_options import RefusedError
from zfs_show import complain


def pool(state: model.Model, name: str) -> dict[str, Any]:
    """Return a pool's row, or refuse."""
    found = model.section(state, "pools").get(name)
    if found is None:
        raise RefusedError(f"cannot open '{name}': no such pool")
    row: dict[str, Any] = found
    return row


def note(row: dict[str, Any], argv: list[str]) -> None:
    """Remember a command for `zpool history`."""
    row["history"].append([int(time.time()), " ".join(["zpool", *argv])])


def assign(argv: list[str]) -> int:
    """`zpool set`."""
    options = zfs_options.parse("zpool", ["set", *argv], "")
    if len(options.rest) < 3:
        missing = ("property=value argument", "pool name")[len(options.rest) - 1]
        raise RefusedError(
            f"missing {missing}\nusage:\n\tset <property=value> <pool>"
            f"\n\tset <vdev_property=value> <pool> <vdev>\n\n{zpool_props.supported()}",
            status=2,
        )
    word, name = options.rest[1:3]
    prop, equals, value = word.partition("=")
    if not equals:
        raise RefusedError("missing value in property=value argument", status=2)
    if len(options.rest) > 3 or prop.startswith("feature@") or ":" in prop:
        model.not_simulated("zpool", ["set", *argv])
    with model.change() as state:
        row = model.section(state, "pools").get(name)
        if row is None:
            raise RefusedError(f"cannot open '{name}': is not a pool", status=22)
        prefix = f"cannot set property for '{name}': "
        known = zpool_props.known(prop)
        if not known:
            raise RefusedError(f"{prefix}invalid property '{prop}'")
        try:
            row["props"][known] = zpool_props.checked(known, value, creating=False)
        except RefusedError as error:
            raise RefusedError(prefix + error.text) from None
        note(row, ["set", *argv])
    return 0


def offline(argv: list[str]) -> int:
    """`zpool offline`: refused where no copy of the data would be left."""
    return _devices("offline", argv)


def online(argv: list[str]) -> int:
    """`zpool online`."""
    return _devices("online", argv)


def _devices(verb: str, argv: list[str]) -> int:
    options = zfs_options.parse("zpool", [verb, *argv], "")
    if len(options.rest) < 3:
        missing = ("pool", "device")[len(options.rest) - 1]
        raise RefusedError(f"missing {missing} name", status=2)
    status = 0
    with model.change() as state:
        row = pool(state, options.rest[1])
        for word in options.rest[2:]:
            try:
                _switch(state, row, word, verb == "offline")
            except RefusedError as error:
                complain([f"cannot {verb} {word}: {error.text}"])
                status = 1
        if not status:
            note(row, [verb, *argv])
    return status


def _switch(state: model.Model, row: dict[str, Any], word: str, off: bool) -> None:
    found = zpool_vdevs.match(state, row, word)
    if found is None:
        raise RefusedError("no such device in pool")
    vdev, leaf = found
    before = leaf["offline"]
    if off and not before:
        leaf["offline"] = True
        states = [zpool_vdevs.leaf_state(state, row, other)[0] for other in vdev["children"]]
        if zpool_vdevs.group_state(vdev["type"], states) == "UNAVAIL":
            leaf["offline"] = before
            raise RefusedError("no valid replicas")
    elif not off and before:
        leaf["offline"] = False
        row["scan"] = f"resilvered 0B in 00:00:00 with 0 errors on {_now()}"
    zpool_vdevs.write_labels(state, row, "active")


def _now() -> str:
    return time.strftime("%a %b %e %H:%M:%S %Y")


def scrub(argv: list[str]) -> int:
    """`zpool scrub`: done at once."""
    with model.change() as state:
        for name in zfs_options.parse("zpool", ["scrub", *argv], "w").rest[1:]:
            row = pool(state, name)
            row["scan"] = f"scrub repaired 0B in 00:00:00 with 0 errors on {_now()}"
            note(row, ["scrub", *argv])
    return 0


def trim(argv: list[str]) -> int:
    """`zpool trim`, `clear`: nothing that could be seen afterwards."""
    with model.change() as state:
        for name in zfs_options.parse("zpool", ["trim", *argv], "w").rest[1:2]:
            note(pool(state, name), ["trim", *argv])
    return 0


def wait(argv: list[str]) -> int:
    """`zpool wait`: nothing is ever under way."""
    pool(model.read(), zfs_options.parse("zpool", ["wait", *argv], "t:").rest[1])
    return 0


def sync(argv: list[str]) -> int:
    """`zpool sync`."""
    state = model.read()
    for name in argv:
        pool(state, name)
    return 0


def history(argv: list[str]) -> int:
    """`zpool history`."""
    options = zfs_options.parse("zpool", ["history", *argv], "")
    state = model.read()
    names, unknown = zpool_show.pools(state, options.rest[1:])
    complain([f"cannot open '{name}': no such pool" for name in unknown])
    for name in names:
        print(f"History for '{name}':")
        for when, text in model.section(state, "pools")[name]["history"]:
            print(time.strftime("%Y-%m-%d.%H:%M:%S", time.localtime(when)), text)
        print()
    return int(bool(unknown))
