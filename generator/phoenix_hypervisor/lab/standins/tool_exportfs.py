"""exportfs: the table of NFS exports."""

import sys

import model
from exports_table import ANYONE, Export, Log, export_all, exported, quoted, save

BLANKS = " \t\n\\"
"""What `-s` writes in octal; etab does it with more."""
USAGE = "usage: exportfs [-adfhioruvs] [host:/path]"


def main(argv: list[str]) -> int:
    flags = ""
    names = []
    for word in argv:
        if word.startswith("-") and len(word) > 1:
            flags += word[1:]
        else:
            names.append(word)
    bad = next((flag for flag in flags if flag not in "adfhioruvs"), None)
    if bad:
        sys.stderr.write(f"exportfs: invalid option -- '{bad}'\n")
    if bad or "h" in flags:
        print(USAGE, file=sys.stderr if bad else sys.stdout)
        return 1 if bad else 0
    if set(flags) & set("ioud") or (names and not set(flags) & set("ra")):
        return _single(flags, names, argv)
    said = Log()
    if set(flags) & set("ra"):
        exports = export_all(said, keep="r" not in flags)
        if "v" in flags:
            print("".join(f"exporting {export.client}:{export.path}\n" for export in exports), end="")
    elif "f" not in flags:
        _show(exported(said), flags)
    return int(said.failed)


def _single(flags: str, names: list[str], argv: list[str]) -> int:
    """Unexport everything or one export; exporting by hand is not what a configured node does."""
    said = Log()
    if names and not any(":/" in name for name in names):
        said.error(f"Invalid export syntax: {names[0]}")
    elif "u" not in flags or set(flags) & set("iod"):
        model.not_simulated("exportfs", argv)
    elif "a" in flags:
        save([])
    else:
        _withdraw(names, said)
    return int(said.failed)


def _withdraw(names: list[str], said: Log) -> None:
    left = exported(said)
    for name in names:
        client, _, path = name.partition(":")
        kept = [export for export in left if (export.client or "*", export.path) != (client, path)]
        if len(kept) == len(left):
            said.error(f"Could not find '{name}' to unexport.")
        left = kept
    save(left)


def _show(exports: list[Export], flags: str) -> None:
    for export in exports:
        if "s" in flags:
            print(f"{quoted(export.path, BLANKS)}  {export.client}({export.options.brief()})")
            continue
        client = "<world>" if export.kind == ANYONE else export.client
        options = f"({export.options.brief()})" if "v" in flags else ""
        gap = "\t" if len(export.path) <= 14 else "\n\t\t"
        print(f"{export.path:<14}{gap}{client}{options}")
