"""`zfs list` and `zfs get`."""

import sys

import model
import zfs_datasets
import zfs_mounts
import zfs_options
import zfs_props
import zfs_space
import zfs_usage
from hints import Callable
from zfs_options import Options, RefusedError

_TYPES = {"filesystem": "f", "fs": "f", "volume": "v", "vol": "v", "snapshot": "s", "snap": "s", "all": "fvs"}


_SPACE = "name,avail,used,usedsnap,usedds,usedrefreserv,usedchild"
_STORED = {"creation": "created", "createtxg": "createtxg", "guid": "guid", "objsetid": "objsetid"}
_MEASURED: dict[str, Callable[[zfs_space.Space, str], int]] = {
    "used": zfs_space.Space.used,
    "available": zfs_space.Space.available,
    "referenced": zfs_space.Space.refer,
    "written": zfs_space.Space.refer,
    "usedbydataset": zfs_space.Space.refer,
    "usedbychildren": zfs_space.Space.children,
    "usedbyrefreservation": zfs_space.Space.reserved,
}


class View:
    """Reads any property of any dataset of one state of the model."""

    def __init__(self, state: model.Model) -> None:
        self.state = state
        self.space = zfs_space.Space(state)

    def raw(self, name: str, prop: str) -> tuple[str, str]:
        """Return value and source; `-` where the property does not apply."""
        spec = zfs_props.TABLE.get(prop)
        if spec is None or spec.at_creation:
            value, source = zfs_datasets.value(self.state, name, prop)
            return (
                (str(self._automatic(name)), source)
                if value == "auto" and prop == "refreservation"
                else (value, source)
            )
        if not spec.applies(zfs_datasets.kind_of(self.state, name)):
            return "-", "-"
        if spec.default == "none":
            return "none", "default"
        return self._told(name, prop) or spec.default or "-", "-"

    def _told(self, name: str, prop: str) -> str:
        row = zfs_datasets.row_of(self.state, name)
        if prop in _STORED:
            return str(row[_STORED[prop]])
        if prop in _MEASURED:
            return str(_MEASURED[prop](self.space, name))
        if prop in ("logicalused", "logicalreferenced"):
            # metadata is stored compressed and in copies: what an empty file system shows
            measured = self.space.used(name) if prop == "logicalused" else self.space.refer(name)
            return str(measured * 7 // 16)
        if prop == "clones":
            rows = zfs_datasets.every(self.state).items()
            return ",".join(sorted(other for other, data in rows if data.get("origin") == name))
        told = {
            "type": zfs_datasets.kind_of(self.state, name),
            "mounted": "yes" if row.get("mounted") else "no",
            "origin": row.get("origin") or "-",
            "usedbysnapshots": "0",
            "defer_destroy": "off",
            "userrefs": str(len(row.get("holds", {}))),
        }
        return told.get(prop, "")

    def text(self, name: str, prop: str, exact: bool) -> str:
        """Return a column of `zfs list`, where name is a property too."""
        if prop == "name":
            return name
        value = self.raw(name, prop)[0]
        spec = zfs_props.TABLE.get(prop)
        return zfs_props.shown(spec, value, exact) if spec else value

    def _automatic(self, name: str) -> int:
        size = int(zfs_datasets.value(self.state, name, "volsize")[0])
        block = int(zfs_datasets.value(self.state, name, "volblocksize")[0])
        return zfs_space.volume_reservation(size, block)


class Selection:
    """Which datasets a call is about, and whether one named could not be opened."""

    def __init__(self, state: model.Model, options: Options, names: list[str], default: str) -> None:
        self.failed = False
        self.complaints: list[str] = []
        kinds = _kinds(options, default)
        if options.last("t") in ("snapshot", "snap") and names and not ("r" in options or "d" in options):
            options.pairs.append(("d", "1"))
        recursive = "r" in options or "d" in options or not names
        depth = int(options.last("d", "999"))
        chosen: set[str] = set()
        for typed in names:
            name = zfs_mounts.at(state, typed) if typed.startswith("/") else typed
            if not zfs_datasets.kind_of(state, name):
                self.failed = True
                fault = "not a ZFS filesystem" if typed.startswith("/") else zfs_datasets.missing(typed)
                self.complaints.append(f"cannot open '{typed}': {fault}")
            elif recursive:
                chosen.update(_tree(state, name, depth))
            else:
                chosen.add(name)
        if not names:
            chosen.update(*(_tree(state, pool, depth) for pool in model.section(state, "pools")))
        direct = "t" not in options and not recursive
        fit = [name for name in chosen if direct or _fits(state, name, kinds)]
        self.names = sorted(fit, key=lambda name: zfs_datasets.order(state, name))


def _kinds(options: Options, default: str) -> str:
    if "t" not in options:
        return default
    kinds = ""
    for word in options.last("t").split(","):
        if word == "bookmark":
            continue
        if word not in _TYPES:
            raise RefusedError(f"invalid type '{word}'")
        kinds += _TYPES[word]
    return kinds


def _fits(state: model.Model, name: str, kinds: str) -> bool:
    return zfs_datasets.kind_of(state, name)[0] in kinds


def _tree(state: model.Model, top: str, depth: int) -> list[str]:
    """Return a dataset with all below it to a depth; snapshots count as one level."""
    found = []
    for name in [top, *(zfs_datasets.below(state, top) if "@" not in top else [])]:
        level = name.count("/") - top.count("/")
        if level <= depth:
            found.append(name)
        if "@" not in name and level < depth:
            found += [f"{name}@{snap}" for snap in zfs_datasets.row_of(state, name)["snapshots"]]
    return found


def _columns(words: str, extra: tuple[str, ...]) -> list[str]:
    names = []
    for word in words.split(","):
        name = word if word in extra or zfs_props.is_user(word) else zfs_props.known(word)
        if not name:
            raise RefusedError(f"bad property list: invalid property '{word}'", status=2)
        names.append(name)
    return names


def table(rows: list[list[str]], right: list[bool], gap: str = "  ") -> list[str]:
    """Lay out rows; the last column is not padded when it is aligned left."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(right))]
    lines = []
    for row in rows:
        cells = [text.rjust(widths[n]) if right[n] else text.ljust(widths[n]) for n, text in enumerate(row)]
        if not right[-1]:
            cells[-1] = row[-1]
        lines.append(gap.join(cells))
    return lines


def complain(lines: list[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)


def listed(argv: list[str]) -> int:
    """`zfs list`."""
    options = zfs_options.parse("zfs", ["list", *argv], "Hpo:t:rd:")
    names = options.rest[1:]
    wanted = options.last("o", "name,used,avail,refer,mountpoint")
    try:
        columns = _columns(_SPACE if wanted == "space" else wanted, ("name",))
    except RefusedError as error:
        raise RefusedError(f"{error.text}\n{zfs_usage.text('list')}", status=2) from None
    state = model.read()
    default = "fvs" if any("@" in name for name in names) else "fv"
    chosen = Selection(state, options, names, default)
    complain(chosen.complaints)
    view, exact = View(state), "p" in options
    rows = [[view.text(name, column, exact) for column in columns] for name in chosen.names]
    if "H" in options:
        print("".join("\t".join(row) + "\n" for row in rows), end="")
    elif rows:
        print("\n".join(_with_heading(rows, columns)))
    elif not chosen.failed:
        complain(["no datasets available"])
    return int(chosen.failed)


def _with_heading(rows: list[list[str]], columns: list[str]) -> list[str]:
    specs = [zfs_props.TABLE.get(column) for column in columns]
    heading = [spec.heading if spec else name.upper() for spec, name in zip(specs, columns, strict=True)]
    right = [spec is not None and spec.is_number for spec in specs]
    heading = [word.rjust(5) if number else word for word, number in zip(heading, right, strict=True)]
    return table([heading, *rows], right)


def got(argv: list[str]) -> int:
    """`zfs get`."""
    options = zfs_options.parse("zfs", ["get", *argv], "Hpo:t:s:rd:")
    if len(options.rest) < 2:
        raise RefusedError(f"missing property argument\n{zfs_usage.text('get')}", status=2)
    fields = _fields(options.last("o", "name,property,value,source"))
    sources = options.last("s", "local,default,inherited,received,temporary,none").split(",")
    try:
        props = [] if options.rest[1] == "all" else _columns(options.rest[1], ("name",))
    except RefusedError as error:
        raise RefusedError(f"{error.text}\n{zfs_usage.text('get')}", status=2) from None
    state = model.read()
    chosen = Selection(state, options, options.rest[2:], "fvs")
    complain(chosen.complaints)
    view, exact = View(state), "p" in options
    rows = []
    for name in chosen.names:
        for prop in props or _all(view, name):
            source = "-" if prop == "name" else view.raw(name, prop)[1]
            if _kind_of_source(source) in sources:
                text = view.text(name, prop, exact)
                rows.append({"name": name, "property": prop, "value": text, "source": source})
    print_fields(rows, fields, "H" in options)
    return int(chosen.failed)


def print_fields(rows: list[dict[str, str]], fields: list[str], plain: bool) -> None:
    """Print what `get` found: tab-separated, or as a table with a heading."""
    cells = [[row[field] for field in fields] for row in rows]
    if plain:
        print("".join("\t".join(row) + "\n" for row in cells), end="")
    elif cells:
        heading = [field.upper() for field in fields]
        print("\n".join(table([heading, *cells], [False] * len(fields))))


def _fields(words: str) -> list[str]:
    fields = []
    for word in words.split(","):
        if word == "all":
            return ["name", "property", "value", "received", "source"]
        if word not in ("name", "property", "value", "received", "source"):
            raise RefusedError(f"invalid column name '{word}'\n{zfs_usage.text('get')}", status=2)
        fields.append(word)
    if "received" in fields:
        model.not_simulated("zfs", ["get", "-o", words])
    return fields


def _kind_of_source(source: str) -> str:
    return "none" if source == "-" else source.partition(" ")[0]


def _all(view: View, name: str) -> list[str]:
    """Return what `all` means for this one: what applies and has a value, then its user properties."""
    kind = zfs_datasets.kind_of(view.state, name)
    own = [prop for prop, spec in zfs_props.TABLE.items() if spec.applies(kind)]
    own = [prop for prop in own if prop != "origin" or zfs_datasets.row_of(view.state, name).get("origin")]
    users: set[str] = set()
    above = name
    while above:
        users.update(prop for prop in zfs_datasets.row_of(view.state, above)["props"] if ":" in prop)
        above = zfs_datasets.parent_of(above)
    return own + sorted(users)
