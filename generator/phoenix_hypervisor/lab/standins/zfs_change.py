"""`zfs create`, `set` and `inherit`."""

import model
import zfs_datasets
import zfs_mounts
import zfs_options
import zfs_props
import zfs_sizes
import zfs_space
import zfs_usage
from zfs_options import Options, RefusedError
from zfs_show import complain


def _assignments(words: list[str], kind: str, creating: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise RefusedError(f"missing '=' for property=value argument '{word}'", status=2)
        if name in found:
            raise RefusedError(f"property '{name}' specified multiple times", status=2)
        known, canonical = zfs_props.checked(name, value, kind, creating)
        found[known] = canonical
    return found


def properties(words: list[str], kind: str, prefix: str) -> dict[str, str]:
    """Return validated `-o` (or zpool's `-O`) properties of a dataset about to be made."""
    try:
        return _assignments(words, kind, creating=True)
    except RefusedError as error:
        raise error if error.status == 2 else RefusedError(prefix + error.text) from None


def create(argv: list[str]) -> int:
    """`zfs create`."""
    options = zfs_options.parse("zfs", ["create", *argv], "pso:V:b:u")
    if len(options.rest) < 2:
        kind = "volume" if "V" in options else "filesystem"
        raise RefusedError(f"missing {kind} argument\n{zfs_usage.text('create')}", status=2)
    if len(options.rest) > 2:
        raise RefusedError(f"too many arguments\n{zfs_usage.text('create')}", status=2)
    with model.change() as state:
        return _create(state, options.rest[1], options)


def _create(state: model.Model, name: str, options: Options) -> int:
    prefix = f"cannot create '{name}': "
    fault = zfs_datasets.name_fault(name)
    if fault:
        raise RefusedError(prefix + fault)
    pool = zfs_datasets.pool_of(name)
    if zfs_datasets.kind_of(state, name):
        if "p" in options:
            return 0
        raise RefusedError(prefix + "dataset already exists")
    if pool not in model.section(state, "pools"):
        raise RefusedError(f"{prefix}no such pool '{pool}'")
    kind = "volume" if "V" in options else "filesystem"
    props = properties(options.every("o"), kind, prefix)
    if kind == "volume":
        props = {**_volume(options, prefix), **props}
    _warn_of_small_blocks(state, name, props)
    above = zfs_datasets.parent_of(name)
    if not zfs_datasets.kind_of(state, above) and "p" not in options:
        raise RefusedError(prefix + "parent does not exist")
    if zfs_datasets.kind_of(state, above) == "volume":
        raise RefusedError(prefix + "parent is not a filesystem")
    _check_limits(state, above, props, prefix)
    ancestors = _missing_ancestors(state, name)
    failed = [_add(state, ancestor, "filesystem", {}, mount=True) for ancestor in ancestors]
    return max([*failed, _add(state, name, kind, props, mount="u" not in options)])


def _warn_of_small_blocks(state: model.Model, name: str, props: dict[str, str]) -> None:
    pool = model.section(state, "pools")[zfs_datasets.pool_of(name)]
    special = any(vdev["class"] == "special" for vdev in pool["vdevs"])
    if props.get("special_small_blocks", "0") != "0" and not special:
        complain(["special_small_blocks: property requires a special device in the pool"])  # it is set


def _check_limits(state: model.Model, above: str, props: dict[str, str], prefix: str) -> None:
    wanted = max(int(props.get(prop, "0").replace("auto", "0")) for prop in ("reservation", "refreservation"))
    known = bool(zfs_datasets.kind_of(state, above))
    if wanted and known and wanted > zfs_space.Space(state).available(above):
        raise RefusedError(prefix + "out of space")


def _volume(options: Options, prefix: str) -> dict[str, str]:
    words = [f"volsize={options.last('V')}"]
    if "b" in options:
        words.append(f"volblocksize={options.last('b')}")
    props = properties(words, "volume", prefix)
    block = int(props.get("volblocksize", zfs_props.TABLE["volblocksize"].default))
    size = -(-int(props["volsize"]) // block) * block
    if not size:
        raise RefusedError(prefix + "'volsize' cannot be zero")
    props["volsize"] = str(size)
    if "s" not in options:
        props["refreservation"] = str(zfs_space.volume_reservation(size, block))
    return props


def _missing_ancestors(state: model.Model, name: str) -> list[str]:
    parts = name.split("/")
    ancestors = ["/".join(parts[:count]) for count in range(1, len(parts))]
    return [ancestor for ancestor in ancestors if not zfs_datasets.kind_of(state, ancestor)]


def _add(state: model.Model, name: str, kind: str, props: dict[str, str], mount: bool) -> int:
    zfs_datasets.new(state, name, kind, props)
    if mount and zfs_mounts.automatic(state, name):
        return mount_new(state, name, "filesystem successfully created, but not mounted")
    return 0


def mount_new(state: model.Model, name: str, otherwise: str) -> int:
    """Mount what was just made; a failure does not undo the making."""
    try:
        zfs_mounts.mount(state, name)
    except RefusedError as error:
        complain([error.text, otherwise])
        return 1
    return 0


def assign(argv: list[str]) -> int:
    """`zfs set`."""
    options = zfs_options.parse("zfs", ["set", *argv], "")
    words = [word for word in options.rest[1:] if "=" in word]
    names = [word for word in options.rest[1:] if "=" not in word]
    if not words and not names:
        raise RefusedError(f"missing arguments\n{zfs_usage.text('set')}", status=2)
    if not names:
        raise RefusedError(f"missing dataset name(s)\n{zfs_usage.text('set')}", status=2)
    if not words:
        raise RefusedError(f"cannot open '{names[0]}': dataset does not exist")
    status = 0
    with model.change() as state:
        for name in names:
            try:
                zfs_datasets.existing(state, name)
                _set(state, name, words)
            except RefusedError as error:
                complain([error.text])
                status = error.status
    return status


def _set(state: model.Model, name: str, words: list[str]) -> None:
    prefix = f"cannot set property for '{name}': "
    kind = zfs_datasets.kind_of(state, name)
    try:
        props = _assignments(words, kind, creating=False)
        for prop, value in props.items():
            _check_size(state, name, prop, value)
    except RefusedError as error:
        raise RefusedError(prefix + error.text, status=255) from None
    _warn_of_small_blocks(state, name, props)
    with_mount = {"mountpoint", "canmount"} & set(props)
    if with_mount and kind == "filesystem":
        _remounted(state, name, props)
    else:
        zfs_datasets.row_of(state, name)["props"].update(props)


def _check_size(state: model.Model, name: str, prop: str, value: str) -> None:
    if prop not in ("quota", "refquota", "reservation", "refreservation", "volsize") or not value.isdigit():
        return
    space, size = zfs_space.Space(state), int(value)
    if prop == "quota" and 0 < size < space.used(name):
        raise RefusedError("size is less than current used or reserved space")
    if prop == "refquota" and 0 < size < space.refer(name):
        raise RefusedError("size is less than current used or reserved space")
    if prop.endswith("reservation") and size > space.available(name) + space.used(name):
        raise RefusedError("size is greater than available space")
    if prop == "volsize":
        block = int(zfs_datasets.value(state, name, "volblocksize")[0])
        if size % block or not size:
            raise RefusedError(
                f"'volsize' must be a multiple of volume block size ({zfs_sizes.pretty(block)})"
            )
        if zfs_datasets.local(state, name, "refreservation"):
            reserved = zfs_space.volume_reservation(size, block)
            zfs_datasets.row_of(state, name)["props"]["refreservation"] = str(reserved)


def _affected(state: model.Model, name: str) -> list[str]:
    """Return the dataset and those below that take their mountpoint from it."""
    sources = (f"inherited from {name}", "default")
    below = [
        other
        for other in zfs_datasets.below(state, name)
        if zfs_datasets.value(state, other, "mountpoint")[1] in sources
    ]
    return [name, *below]


def _remounted(state: model.Model, name: str, props: dict[str, str]) -> None:
    names = _affected(state, name) if "mountpoint" in props else [name]
    unplaced = [other for other in names if not zfs_mounts.target(state, other)]
    if props.get("canmount") in ("on", "noauto") and "mountpoint" not in props:
        # only "off" has an effect on what is mounted
        zfs_datasets.row_of(state, name)["props"].update(props)
        return
    changing = zfs_mounts.Remount(state, names)
    zfs_datasets.row_of(state, name)["props"].update(props)
    if props.get("canmount") == "off":
        changing.names = [other for other in changing.names if other != name]
    changing.again([other for other in unplaced if zfs_mounts.automatic(state, other)])


def inherit(argv: list[str]) -> int:
    """`zfs inherit`."""
    options = zfs_options.parse("zfs", ["inherit", *argv], "rS")
    if len(options.rest) < 3:
        what = "property" if len(options.rest) < 2 else "dataset"
        raise RefusedError(f"missing {what} argument\n{zfs_usage.text('inherit')}", status=2)
    prop = _inheritable(options.rest[1])
    with model.change() as state:
        for name in options.rest[2:]:
            zfs_datasets.existing(state, name)
            for each in [name, *(zfs_datasets.below(state, name) if "r" in options else [])]:
                _drop(state, each, prop)
    return 0


def _inheritable(word: str) -> str:
    if zfs_props.is_user(word):
        return word
    prop = zfs_props.known(word)
    if not prop:
        raise RefusedError(f"invalid property '{word}'\n{zfs_usage.text('inherit')}", status=2)
    spec = zfs_props.TABLE[prop]
    if not spec.at_creation or not spec.editable:
        raise RefusedError(f"{prop} property is read-only", status=1)
    if not spec.inherits and prop in ("quota", "reservation", "refquota", "refreservation", "volsize"):
        verb = "set" if prop == "volsize" else "clear"
        raise RefusedError(
            f"'{prop}' property cannot be inherited\nuse 'zfs set {prop}=none' to {verb}\n"
            f"use 'zfs inherit -S {prop}' to revert to received value",
            status=1,
        )
    return prop


def _drop(state: model.Model, name: str, prop: str) -> None:
    row = zfs_datasets.row_of(state, name)
    if prop not in row["props"]:
        return
    changing = None
    if prop == "mountpoint" and zfs_datasets.kind_of(state, name) == "filesystem":
        names = _affected(state, name)
        unplaced = [other for other in names if not zfs_mounts.target(state, other)]
        changing = zfs_mounts.Remount(state, names)
    del row["props"][prop]
    if changing is not None:
        changing.again([other for other in unplaced if zfs_mounts.automatic(state, other)])
