"""apt-get: update, install, remove, dist-upgrade. Only dpkg's list changes, and which units there are."""

import sys

import apt_sources
import model

FLAGS = frozenset((
    "-y", "--yes", "-q", "-qq", "--quiet", "-s", "--simulate", "--dry-run", "--no-install-recommends",
    "--no-remove", "--install-recommends", "--allow-downgrades", "--allow-change-held-packages",
    "--no-upgrade",
))  # fmt: skip
SETTINGS = frozenset((
    "dir::etc::sourcelist", "dir::etc::sourceparts", "apt::get::list-cleanup", "apt::update::error-mode",
    "dpkg::lock::timeout", "dpkg::options::",
))  # fmt: skip


def main(argv: list[str]) -> int:
    words, flags, settings = _split(argv)
    verb, names = (words[0], words[1:]) if words else ("", [])
    try:
        if verb == "update" and not names:
            return _update(settings)
        if verb in ("install", "remove") or (verb == "dist-upgrade" and not names):
            import apt_changes

            return apt_changes.run(verb, names, flags, int(settings.get("dpkg::lock::timeout", "0")))
    except apt_sources.RefusedError as refused:
        print(refused, file=sys.stderr)
        return 100
    return model.not_simulated("apt-get", argv)


def _split(argv: list[str]) -> tuple[list[str], set[str], dict[str, str]]:
    words: list[str] = []
    flags: set[str] = set()
    settings: dict[str, str] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "-o" and rest:
            name, _, value = rest.pop(0).partition("=")
            if name.lower() not in SETTINGS:
                model.not_simulated("apt-get", argv)
            settings[name.lower()] = value
        elif word in FLAGS:
            flags.add(word)
        elif word.startswith("-"):
            model.not_simulated("apt-get", argv)
        else:
            words.append(word)
    return words, flags, settings


def _update(settings: dict[str, str]) -> int:
    import apt_locks

    sources = apt_sources.enabled(
        settings.get("dir::etc::sourcelist", "/etc/apt/sources.list"),
        settings.get("dir::etc::sourceparts", apt_sources.FOLDER),
    )
    place = f"{apt_sources.LISTS}/lock"
    print("Reading package lists...")
    lock = apt_locks.take(place)
    if lock is None:
        print(f"E: {apt_locks.refusal(place)}", file=sys.stderr)
        print(f"E: Unable to lock directory {apt_sources.LISTS}/", file=sys.stderr)
        return 100
    with lock:
        return _read(sources, settings)


def _read(sources: list[apt_sources.Source], settings: dict[str, str]) -> int:
    strict = settings.get("apt::update::error-mode") == "any"
    failed, said = False, []
    for number, source in enumerate(sources, 1):
        what = f"{source.uri.rstrip('/')} {source.suite} InRelease"
        place = f"{source.uri}dists/{source.suite}/InRelease"
        trouble = source.trouble()
        if trouble is None:
            print(f"Hit:{number} {what}")
            apt_sources.write(source)
            continue
        why, lasting = trouble
        print(f"Err:{number} {what}\n  {why}")
        failed = failed or lasting or strict
        said += _complaint(what, place, why, lasting, strict)
    if said:
        print("\n".join(said), file=sys.stderr)
    if settings.get("apt::get::list-cleanup") not in ("0", "false"):
        apt_sources.tidy(sources)
    return 100 if failed else 0


def _complaint(what: str, place: str, why: str, lasting: bool, strict: bool) -> list[str]:
    """What APT says in the end of a repository that it could not read, more loudly if it is to be strict."""
    if lasting and not strict:
        fetched = (
            f"W: GPG error: {what}: {why}" if "NO_PUBKEY" in why else f"E: Failed to fetch {place}  {why}"
        )
        return [fetched, f"E: The repository '{what}' is not signed."]
    sign = "E" if strict else "W"
    ignored = "They have been ignored, or old ones used instead."
    return [
        f"{sign}: Failed to fetch {place}  {why}",
        f"{sign}: Some index files failed to download. {ignored}",
    ]
