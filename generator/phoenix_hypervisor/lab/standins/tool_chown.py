"""chown: owners are recorded in the model, because the sandbox cannot give files away."""

import os
import sys

import accounts
import model


def main(argv: list[str]) -> int:
    flags = [word for word in argv if word.startswith("-") and len(word) > 1]
    words = [word for word in argv if not (word.startswith("-") and len(word) > 1)]
    known = {"-h", "--no-dereference", "-R", "--recursive", "-v", "-c", "-f", "-Rh", "-hR", "--"}
    if set(flags) - known or len(words) < 2 or set(flags) & {"-v", "-c"}:
        return fallback(argv)
    try:
        ids = _ids(words[0])
    except LookupError as error:
        print(f"chown: invalid {error}", file=sys.stderr)
        return 1
    follow = not set(flags) & {"-h", "--no-dereference", "-Rh", "-hR"}
    deep = bool(set(flags) & {"-R", "--recursive", "-Rh", "-hR"})
    status = 0
    with model.change() as state:
        for path in words[1:]:
            status |= _own(model.section(state, "owners"), path, ids, follow, deep)
    return status


def fallback(argv: list[str]) -> int:
    """Let the real tool answer what needs no record (--help, wrong usage)."""
    for program in ("/usr/bin/chown", "/bin/chown"):
        if os.access(program, os.X_OK):
            os.execv(program, ["chown", *argv])  # noqa: S606 - this process becomes the real tool
    model.not_simulated("chown", argv)


def _ids(text: str) -> tuple[int | None, int | None]:
    """Read OWNER, OWNER:GROUP, OWNER: (the owner's login group) or :GROUP."""
    owner, colon, group = text.partition(":")
    uid = gid = None
    row = accounts.user(owner)
    if owner:
        if row is None and not owner.isdigit():
            raise LookupError(f"user: ‘{text}’")  # noqa: RUF001 - as it prints
        uid = int(row[2]) if row else int(owner)
    if group:
        found = accounts.group(group)
        if found is None and not group.isdigit():
            raise LookupError(f"group: ‘{text}’")  # noqa: RUF001 - as it prints
        gid = int(found[2]) if found else int(group)
    elif colon and row:
        gid = int(row[3])
    return uid, gid


def _own(
    owners: accounts.Owners, path: str, ids: tuple[int | None, int | None], follow: bool, deep: bool
) -> int:
    real = model.path(path) if path.startswith("/") and not path.startswith(model.ROOT or "//") else path
    if not os.path.lexists(real) or (follow and not os.path.exists(real)):
        print(f"chown: cannot access '{path}': No such file or directory", file=sys.stderr)
        return 1
    real = os.path.realpath(real) if follow else real
    if accounts.NOBODY in (accounts.foreign(real) or ()):
        print(f"chown: changing ownership of '{path}': Operation not permitted", file=sys.stderr)
        return 1
    _record(owners, real, ids)
    if deep and os.path.isdir(real) and not os.path.islink(real):
        for folder, folders, files in os.walk(real):
            for name in (*folders, *files):
                _record(owners, os.path.join(folder, name), ids)
    return 0


def _record(owners: accounts.Owners, path: str, ids: tuple[int | None, int | None]) -> None:
    uid, gid = accounts.owner(owners, path)
    accounts.record(owners, path, uid if ids[0] is None else ids[0], gid if ids[1] is None else ids[1])
