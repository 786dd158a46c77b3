"""`zpool list` and `zpool get`."""

import model
import zfs_options
import zfs_sizes
import zfs_space
import zpool_props
import zpool_vdevs
from hints import Any
from zfs_options import Options, RefusedError
from zfs_show import complain, print_fields, table

_DEFAULT = "name,size,alloc,free,ckpoint,expandsz,frag,cap,dedup,health,altroot"
_CLASS_TITLES = (("dedup", "dedup"), ("special", "special"), ("log", "logs"), ("cache", "cache"))
_LIST_USAGE = (
    "usage:\n\tlist [-gHLpPv] [-o property[,...]] [-j [--json-int, --json-pool-key-guid]] ...\n"
    "\t    [-T d|u] [pool] [interval [count]]\n"
)


class View:
    """Reads any property of any pool of one state of the model."""

    def __init__(self, state: model.Model) -> None:
        self.state = state
        self._space = zfs_space.Space(state)
        self._allocated: dict[str, int] = {}

    def allocated(self, pool: str) -> int:
        if pool not in self._allocated:
            self._allocated[pool] = zfs_space.pool_allocated(self.state, pool, self._space)
        return self._allocated[pool]

    def get(self, pool: str, prop: str, exact: bool) -> tuple[str, str]:
        """Return a property's text and its source."""
        row = model.section(self.state, "pools")[pool]
        if prop == "name":
            return pool, "-"
        if prop.startswith("feature@"):
            return zpool_props.feature(prop[8:]), "local"
        spec = zpool_props.TABLE[prop]
        if spec.editable and spec.form != "fixed":
            own = row["props"].get(prop)
            if prop == "comment" and own is not None:
                return str(own), "local"  # one that was taken away is empty, not `-`
            # what is set to the default is told as the default
            return (spec.default, "default") if own in (None, "", spec.default) else (str(own), "local")
        return _shown(spec, self._raw(row, prop), exact), "-"

    def _raw(self, row: dict[str, Any], prop: str) -> str:
        size = zfs_space.pool_size(row)
        if prop in ("allocated", "free", "capacity"):
            allocated = self.allocated(row["name"])
            return str(
                {"allocated": allocated, "free": size - allocated, "capacity": allocated * 100 // size}[prop]
            )
        if prop == "size":
            return str(size)
        if prop == "health":
            return zpool_vdevs.pool_state(self.state, row)
        return str(row[prop] if prop in ("guid", "load_guid") else zpool_props.TABLE[prop].default)


def _shown(spec: zpool_props.Property, value: str, exact: bool) -> str:
    if exact or value == "-":
        return value
    if spec.form == "size":
        return zfs_sizes.pretty(int(value)) if value != "0" else "0"
    return value + {"percent": "%", "ratio": "x"}.get(spec.form, "")


def pools(state: model.Model, names: list[str]) -> tuple[list[str], list[str]]:
    """Return the pools asked for (all, sorted, if none is named) and those that do not exist."""
    there = model.section(state, "pools")
    chosen = [name for name in names if name in there] if names else sorted(there)
    return chosen, [name for name in names if name not in there]


def _columns(words: str, usage: str) -> list[str]:
    names = []
    for word in words.split(","):
        name = word if word == "name" else zpool_props.known(word)
        if not name:
            raise RefusedError(f"bad property list: invalid property '{word}'\n{usage}", status=2)
        names.append(name)
    return names


def listed(argv: list[str]) -> int:
    """`zpool list`."""
    options = zfs_options.parse("zpool", ["list", *argv], "HpPLvo:")
    names = options.rest[1:]
    if any(name.isdigit() for name in names):
        model.not_simulated("zpool", ["list", *argv])  # an interval
    columns = _columns(options.last("o", _DEFAULT), _LIST_USAGE)
    state = model.read()
    chosen, unknown = pools(state, names)
    complain([f"cannot open '{name}': no such pool" for name in unknown])
    view = View(state)
    rows: list[list[str]] = []
    for pool in chosen:
        rows.append([view.get(pool, column, "p" in options)[0] for column in columns])
        if "v" in options:
            rows += _vdev_rows(view, pool, columns, options)
    if "H" in options:
        print("".join("\t".join(row) + "\n" for row in rows), end="")
    elif rows:
        _print_table(rows, columns)
    elif not unknown:
        print("no pools available")
    return int(bool(unknown))


def _print_table(rows: list[list[str]], columns: list[str]) -> None:
    heading = ["NAME" if name == "name" else zpool_props.TABLE[name].heading for name in columns]
    numbers = [name != "name" and zpool_props.TABLE[name].is_number for name in columns]
    right = [name == "health" or number for name, number in zip(columns, numbers, strict=True)]
    least = [8 if name == "health" else 5 * number for name, number in zip(columns, numbers, strict=True)]
    heading = [word.rjust(width) for word, width in zip(heading, least, strict=True)]
    filled = [row + [""] * (len(columns) - len(row)) for row in rows]
    lines = table([heading, *filled], right)
    short = {n + 1 for n, row in enumerate(rows) if len(row) < len(columns)}
    print("\n".join(line.rstrip() if n in short else line for n, line in enumerate(lines)))


def _vdev_rows(view: View, pool: str, columns: list[str], options: Options) -> list[list[str]]:
    row = model.section(view.state, "pools")[pool]
    plain = "H" in options
    rows = _class_rows(view, row, "normal", columns, options)
    for role, title in _CLASS_TITLES:
        below = _class_rows(view, row, role, columns, options)
        if below:
            first = ["\t" + title if plain else title] if columns[0] == "name" else []
            rows += [first + ["-"] * (len(columns) - len(first)), *below]
    return rows


def _class_rows(
    view: View, row: dict[str, Any], role: str, columns: list[str], options: Options
) -> list[list[str]]:
    indent = "\t" if "H" in options else "  "
    deeper = indent if "H" in options else "    "
    rows = []
    for vdev in (vdev for vdev in row["vdevs"] if vdev["class"] == role):
        states = [zpool_vdevs.leaf_state(view.state, row, leaf)[0] for leaf in vdev["children"]]
        share = _share(view, row, vdev)
        facts: dict[str, object] = {"allocated": share, "free": vdev["size"] - share, "of": vdev["size"]}
        if vdev["type"] != "disk":
            facts |= {"size": vdev["size"], "health": zpool_vdevs.group_state(vdev["type"], states)}
            rows.append(_cells(indent + zpool_vdevs.group_name(row, vdev), facts, columns, "p" in options))
        for leaf, status in zip(vdev["children"], states, strict=True):
            place = zpool_vdevs.device(view.state, leaf)
            own = dict(facts) if vdev["type"] == "disk" else {}
            own |= {"size": place.size if place else None, "health": status}
            name = zpool_vdevs.name_of(leaf, "P" in options, "L" in options)
            lead = indent if vdev["type"] == "disk" else deeper
            rows.append(_cells(lead + name, own, columns, "p" in options))
    return rows


def _share(view: View, row: dict[str, Any], vdev: dict[str, Any]) -> int:
    """Return what of the pool's data lies on one vdev: ZFS spreads it by size."""
    if vdev["class"] != "normal":
        return 0
    return int(view.allocated(row["name"]) * vdev["size"] // zfs_space.pool_size(row))


def _cells(name: str, facts: dict[str, object], columns: list[str], exact: bool) -> list[str]:
    cells = []
    for column in columns:
        value = facts.get(column)
        if column == "name":
            cells.append(name)
        elif column == "altroot":
            continue
        elif column == "health":
            cells.append(str(value))
        elif column in ("fragmentation", "capacity") and "of" in facts:
            cells.append(_percent(facts, column, exact))
        elif isinstance(value, int):
            cells.append(str(value) if exact else zfs_sizes.pretty(value))
        else:
            cells.append("-")
    return cells


def _percent(facts: dict[str, object], column: str, exact: bool) -> str:
    permyriad = 0
    if column == "capacity":
        permyriad = int(str(facts["allocated"])) * 10000 // int(str(facts["of"]))
    if exact:
        return str(permyriad // 100)
    return f"{permyriad / 100:.2f}%" if column == "capacity" else f"{permyriad // 100}%"


def got(argv: list[str]) -> int:
    """`zpool get`."""
    options = zfs_options.parse("zpool", ["get", *argv], "Hpo:")
    if len(options.rest) < 2:
        raise RefusedError(f"missing property argument\n{zpool_props.get_usage()}", status=2)
    fields = options.last("o", "name,property,value,source").split(",")
    if options.last("o") == "all":
        fields = ["name", "property", "value", "source"]
    if set(fields) - {"name", "property", "value", "source"}:
        raise RefusedError(f"invalid column name '{fields[0]}'\n{zpool_props.get_usage()}", status=2)
    wanted = options.rest[1]
    everything = [*zpool_props.TABLE, *(f"feature@{name}" for name in zpool_props.FEATURES)]
    props = everything if wanted == "all" else _columns(wanted, zpool_props.get_usage())
    state = model.read()
    chosen, unknown = pools(state, options.rest[2:])
    if unknown and not chosen:
        raise RefusedError(f"Cannot get properties of {unknown[0]}: no such pool available.")
    if unknown:
        complain([f"cannot open '{name}': no such pool" for name in unknown])
    view = View(state)
    rows = []
    for pool in chosen:
        for prop in props:
            value, source = view.get(pool, prop, "p" in options)
            rows.append({"name": pool, "property": prop, "value": value, "source": source})
    print_fields(rows, fields, "H" in options)
    return int(bool(unknown))
