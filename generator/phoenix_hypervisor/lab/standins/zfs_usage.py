"""Usage texts of `zfs`, for the calls that end with one."""

from zfs_props import TABLE

_COMMANDS = {
    "create": (
        "\tcreate [-Pnpuv] [-o property=value] ... <filesystem>\n"
        "\tcreate [-Pnpsv] [-b blocksize] [-o property=value] ... -V <size> <volume>"
    ),
    "snapshot": "\tsnapshot [-r] [-o property=value] ... <filesystem|volume>@<snap> ...",
    "set": "\tset [-u] <property=value> ... <filesystem|volume|snapshot> ...",
    "inherit": "\tinherit [-rS] <property> <filesystem|volume|snapshot> ...",
    "get": (
        '\tget [-rHp] [-j [--json-int]] [-d max] [-o "all" | field[,...]]\n'
        "\t    [-t type[,...]] [-s source[,...]]\n"
        '\t    <"all" | property[,...]> [filesystem|volume|snapshot|bookmark] ...'
    ),
    "list": (
        "\tlist [-Hp] [-j [--json-int]] [-r|-d max] [-o property[,...]]\n"
        "\t    [-s property]... [-S property]... [-t type[,...]]\n"
        "\t    [filesystem|volume|snapshot] ..."
    ),
}
_WITH_TABLE = ("get", "inherit", "list", "set")
_HINTS = """
For the property list, run: zfs set|get

For the delegated permission list, run: zfs allow|unallow

For further help on a command or topic, run: zfs help [<topic>]"""
_COUNTED = ("used", "objused", "quota", "objquota")
_TAIL = """
Sizes are specified in bytes with standard units such as K, M, G, etc.

User-defined properties can be specified by using a name containing a colon (:).

The {user|group|project}[obj]{used|quota}@ properties must be appended with
a user|group|project specifier of one of these forms:
    POSIX name      (eg: "matt")
    POSIX id        (eg: "126829")
    SMB name@domain (eg: "matt@sun")
    SMB SID         (eg: "S-1-234-567-89")"""


def text(command: str) -> str:
    """Return what follows the complaint about a wrong call."""
    lines = ["usage:", _COMMANDS[command]]
    if command in _WITH_TABLE:
        lines += ["", "The following properties are supported:", "", *_table(), _TAIL]
    else:
        lines.append(_HINTS)
    return "\n".join(lines)


def _table() -> list[str]:
    def line(name: str, edit: str, inherit: str, values: str) -> str:
        return f"\t{name:<20}  {edit:>4}  {inherit:>7}   {values}"

    readonly = sorted(name for name, prop in TABLE.items() if not prop.at_creation)
    others = sorted(name for name, prop in TABLE.items() if prop.at_creation)
    rows = [line("PROPERTY", "EDIT", "INHERIT", "VALUES"), ""]
    for name in readonly + others:
        prop = TABLE[name]
        rows.append(
            line(name, "YES" if prop.editable else "NO", "YES" if prop.inherits else "NO", prop.values)
        )
    for kind in _COUNTED:
        for who in ("user", "group", "project"):
            edit, values = ("YES", "<size> | none") if kind.endswith("quota") else ("NO", "<size>")
            rows.append(line(f"{who}{kind}@...", edit, "NO", values))
    rows.append(line("written@<snap>", "NO", "NO", "<size>"))
    rows.append(line("written#<bookmark>", "NO", "NO", "<size>"))
    return rows
