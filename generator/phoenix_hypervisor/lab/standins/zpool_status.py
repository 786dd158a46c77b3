"""`zpool status`, and the tree of devices that `zpool import` shows too."""

import model
import zfs_options
import zpool_show
import zpool_vdevs
from hints import Any
from zfs_options import Options
from zfs_show import complain

_SEE = "https://openzfs.github.io/openzfs-docs/msg/"
_OFFLINE = (
    "status: One or more devices has been taken offline by the administrator.\n"
    "\tSufficient replicas exist for the pool to continue functioning in a\n"
    "\tdegraded state.\n"
    "action: Online the device using 'zpool online' or replace the device with\n"
    "\t'zpool replace'."
)
_GONE = (
    "status: One or more devices could not be opened.  Sufficient replicas exist for\n"
    "\tthe pool to continue functioning in a degraded state.\n"
    "action: Attach the missing device and online it using 'zpool online'.\n"
    f"   see: {_SEE}ZFS-8000-2Q"
)
_GONE_FOR_GOOD = (
    "status: One or more devices could not be opened.  There are insufficient\n"
    "\treplicas for the pool to continue functioning.\n"
    "action: Attach the missing device and online it using 'zpool online'.\n"
    f"   see: {_SEE}ZFS-8000-3C"
)
_FOREIGN = (
    "status: One or more devices could not be used because the label is missing or\n"
    "\tinvalid.  Sufficient replicas exist for the pool to continue\n"
    "\tfunctioning in a degraded state.\n"
    "action: Replace the device using 'zpool replace'.\n"
    f"   see: {_SEE}ZFS-8000-4J"
)
_FOREIGN_FOR_GOOD = (
    "status: One or more devices could not be used because the label is missing\n"
    "\tor invalid.  There are insufficient replicas for the pool to continue\n"
    "\tfunctioning.\n"
    "action: Destroy and re-create the pool from\n"
    "\ta backup source.\n"
    f"   see: {_SEE}ZFS-8000-5E"
)
_CLASSES = (
    ("dedup", "dedup"),
    ("special", "special"),
    ("log", "logs"),
    ("cache", "cache"),
    ("spare", "spares"),
)

Line = tuple[int, str, str, str]  # depth, name, state, note


def status(argv: list[str]) -> int:
    """`zpool status`."""
    options = zfs_options.parse("zpool", ["status", *argv], "PLxv")
    state = model.read()
    names, unknown = zpool_show.pools(state, options.rest[1:])
    complain([f"cannot open '{name}': no such pool" for name in unknown])
    rows = [model.section(state, "pools")[name] for name in names]
    healthy = [row["name"] for row in rows if _healthy(state, row)]
    if "x" in options:
        rows = [row for row in rows if row["name"] not in healthy]
    texts = [_pool(state, row, options) for row in rows]
    if texts:
        print("\n\n".join(texts))
    elif "x" in options and names and not options.rest[1:]:
        print("all pools are healthy")
    elif "x" in options and names:
        print("\n".join(f"pool '{name}' is healthy" for name in healthy))
    elif not names and not unknown:
        # -x has its line on stdout, the plain call on stderr
        complain(["no pools available"])
    return int(bool(unknown))


def _healthy(state: model.Model, row: dict[str, Any]) -> bool:
    return zpool_vdevs.pool_state(state, row) == "ONLINE"


def _pool(state: model.Model, row: dict[str, Any], options: Options) -> str:
    health = zpool_vdevs.pool_state(state, row)
    said = explanation(state, row, health)
    lines = [f"  pool: {row['name']}", f" state: {health}", *([said] if said else [])]
    if row.get("scan"):
        lines.append(f"  scan: {row['scan']}")
    found = tree(state, row, "P" in options, "L" in options)
    width = max([4, *(2 * depth + len(name) for depth, name, *_ in found if depth >= 0)])
    lines += ["config:", "", f"\t{'NAME':<{width}}  {'STATE':<8} {'READ':>5} {'WRITE':>5} {'CKSUM':>5}"]
    for depth, name, what, note in found:
        if depth < 0:
            lines.append(f"\t{name}\t" if name in ("dedup", "special", "logs") else f"\t{name}")
            continue
        counted = "" if what == "AVAIL" else " " + " ".join(["    0"] * 3)
        text = f"\t{'  ' * depth + name:<{width}}  {what:<8}{counted}"
        lines.append((text + (f"  {note}" if note else "")).rstrip())
    return "\n".join([*lines, "", "errors: No known data errors"])


def explanation(state: model.Model, row: dict[str, Any], health: str) -> str:
    """Return the status and action lines for what is wrong; empty if nothing."""
    notes = [zpool_vdevs.leaf_state(state, row, leaf) for leaf in zpool_vdevs.leaves(row["vdevs"])]
    if ("UNAVAIL", "cannot open") in notes:
        return _GONE_FOR_GOOD if health == "UNAVAIL" else _GONE
    if ("UNAVAIL", "corrupted data") in notes:
        return _FOREIGN_FOR_GOOD if health == "UNAVAIL" else _FOREIGN
    return _OFFLINE if ("OFFLINE", "") in notes else ""


def tree(state: model.Model, row: dict[str, Any], full: bool, kernel: bool) -> list[Line]:
    """Return the pool's devices as lines; depth -1 is the title of a class."""
    health = zpool_vdevs.pool_state(state, row)
    lines = [(0, row["name"], health, "insufficient replicas" if health == "UNAVAIL" else "")]
    lines += _class(state, row, "normal", full, kernel)
    for role, title in _CLASSES:
        below = _class(state, row, role, full, kernel)
        if below:
            lines += [(-1, title, "", ""), *below]
    return lines


def _class(state: model.Model, row: dict[str, Any], role: str, full: bool, kernel: bool) -> list[Line]:
    lines: list[Line] = []
    for vdev in (vdev for vdev in row["vdevs"] if vdev["class"] == role):
        found = [zpool_vdevs.leaf_state(state, row, leaf) for leaf in vdev["children"]]
        depth = 1
        if vdev["type"] != "disk":
            health = zpool_vdevs.group_state(vdev["type"], [what for what, _ in found])
            note = "insufficient replicas" if health == "UNAVAIL" else ""
            lines.append((1, zpool_vdevs.group_name(row, vdev), health, note))
            depth = 2
        for leaf, (what, note) in zip(vdev["children"], found, strict=True):
            shown = "AVAIL" if role == "spare" and what == "ONLINE" else what
            lines.append((depth, zpool_vdevs.name_of(leaf, full, kernel), shown, note))
    return lines
