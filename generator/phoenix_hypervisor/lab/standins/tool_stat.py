"""stat -c: facts about files with their recorded owners; everything else is the real tool's."""

import os
import sys

import accounts
import model

FIELDS = "UGugaAsnFY"


def main(argv: list[str]) -> int:
    follow, form, paths = False, None, []
    words = list(argv)
    while words:
        word = words.pop(0)
        if word in ("-L", "--dereference"):
            follow = True
        elif word in ("-c", "--format") and words:
            form = words.pop(0)
        elif word.startswith("--format="):
            form = word.partition("=")[2]
        elif word.startswith("-c") and len(word) > 2:
            form = word[2:]
        elif word == "-Lc" and words:
            follow, form = True, words.pop(0)
        elif word.startswith("-") and len(word) > 1 and word != "--":
            return fallback(argv)
        elif word != "--":
            paths.append(word)
    if form is None or not paths or not _simple(form):
        return fallback(argv)
    owners: accounts.Owners = model.section(model.read(), "owners")
    return max([_show(owners, path, form, follow) for path in paths])


def fallback(argv: list[str]) -> int:
    for program in ("/usr/bin/stat", "/bin/stat"):
        if os.access(program, os.X_OK):
            os.execv(program, ["stat", *argv])  # noqa: S606 - this process becomes the real tool
    model.not_simulated("stat", argv)


def _simple(form: str) -> bool:
    parts = form.replace("%%", "").split("%")[1:]
    return all(part[:1] in FIELDS and part[:1] for part in parts)


def _show(owners: accounts.Owners, path: str, form: str, follow: bool) -> int:
    real = model.path(path) if path.startswith("/") and not path.startswith(model.ROOT or "//") else path
    try:
        facts = os.stat(real) if follow else os.lstat(real)
    except OSError as error:
        print(f"stat: cannot statx '{path}': {os.strerror(error.errno or 0)}", file=sys.stderr)
        return 1
    recorded = accounts.recorded(owners, os.path.realpath(real) if follow else real)
    uid, gid = recorded or [facts.st_uid, facts.st_gid]
    import stat

    values = {
        "u": str(uid), "g": str(gid), "U": accounts.name_of(uid, "passwd") or "UNKNOWN",
        "G": accounts.name_of(gid, "group") or "UNKNOWN", "a": f"{stat.S_IMODE(facts.st_mode):o}",
        "A": stat.filemode(facts.st_mode), "s": str(facts.st_size), "n": path, "Y": str(int(facts.st_mtime)),
        "F": _kind(facts.st_mode, facts.st_size), "%": "%",
    }  # fmt: skip
    text, rest = "", form
    while rest:
        before, percent, rest = rest.partition("%")
        text += before + (values[rest[0]] if percent else "")
        rest = rest[1:]
    print(text)
    return 0


def _kind(mode: int, size: int) -> str:
    import stat

    names = {
        stat.S_IFDIR: "directory", stat.S_IFLNK: "symbolic link", stat.S_IFBLK: "block special file",
        stat.S_IFCHR: "character special file", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
    }  # fmt: skip
    return names.get(stat.S_IFMT(mode), "regular file" if size else "regular empty file")
