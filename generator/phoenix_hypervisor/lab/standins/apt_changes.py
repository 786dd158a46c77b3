"""What a verb of `apt-get` would do to dpkg's list, what it says of it, and doing it."""

import sys

import apt_locks
import apt_offers
import apt_sources
import dpkg_status
import model
import runtime

LOCK = "/var/lib/dpkg/lock-frontend"


class Change:
    """Packages that come (name → version), that go, and that stay although there is a newer one."""

    def __init__(self) -> None:
        self.come: dict[str, str] = {}
        self.go: list[str] = []
        self.kept: list[str] = []


def run(verb: str, names: list[str], flags: set[str], seconds: int) -> int:
    if {"-s", "--simulate", "--dry-run"} & flags:
        return _run(verb, names, flags, True)
    lock = apt_locks.wait(LOCK, seconds)
    if lock is None:
        if not seconds:
            say(f"E: {apt_locks.refusal(LOCK)}")
        say(f"E: Unable to acquire the dpkg frontend lock ({LOCK}), is another process using it?")
        return 100
    with lock:
        if dpkg_status.interrupted():
            say(
                "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem."
            )
            return 100
        return _run(verb, names, flags, False)


def say(text: str) -> None:
    print(text, file=sys.stderr)


def _run(verb: str, names: list[str], flags: set[str], simulated: bool) -> int:
    print("Reading package lists...\nBuilding dependency tree...\nReading state information...")
    there = dpkg_status.read()
    offers = apt_sources.offered(apt_sources.enabled())
    change = Change()
    refused = VERBS[verb](names, there, offers, change)
    refused = refused or _forbidden(change, there, offers, flags)
    if refused:
        say(refused)
        return 100
    if change.kept:
        print(f"The following packages have been kept back:\n  {' '.join(change.kept)}")
    for word, found in (
        ("installed", _new(change, there)),
        ("upgraded", _other(change, there)),
        ("REMOVED", change.go),
    ):
        if found:
            new = "NEW packages will be" if word == "installed" else "packages will be"
            print(f"The following {new} {word}:\n  {' '.join(sorted(found))}")
    print(
        f"{len(_other(change, there))} upgraded, {len(_new(change, there))} newly installed, "
        f"{len(change.go)} to remove and {len(change.kept)} not upgraded."
    )
    if change.come and not simulated and runtime.offline():
        return _cannot_fetch(change)
    _shown(change, there, simulated)
    if not simulated:
        _carry_out(change, there)
    return 0


def _cannot_fetch(change: Change) -> int:
    """Say what APT says without a network: of each archive, and in the end; nothing was changed."""
    source = apt_sources.enabled()[0]
    for name, version in change.come.items():
        folder = name[:4] if name.startswith("lib") else name[:1]
        file = f"{name}_{version.partition(':')[2] or version}_amd64.deb"
        place = f"{source.uri}pool/main/{folder}/{name}/{file}"
        say(f"E: Failed to fetch {place}  Temporary failure resolving '{source.host}'")
    say("E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?")
    return 100


def _install(
    names: list[str], there: dict[str, dpkg_status.Stanza], offers: dict[str, dict[str, str]], change: Change
) -> str:
    for written in names:
        name, _, version = written.partition("=")
        if name not in offers and name not in there:
            return f"E: Unable to locate package {name}"
        if version and version not in offers.get(name, {}):
            return f"E: Version '{version}' for '{name}' was not found"
        if name not in offers:
            print(f"{name} is already the newest version ({there[name]['Version']}).")
            continue
        refused = _take(name, version or next(reversed(offers[name])), there, offers, change)
        if refused:
            return refused
    return ""


def _take(
    name: str,
    version: str,
    there: dict[str, dpkg_status.Stanza],
    offers: dict[str, dict[str, str]],
    change: Change,
) -> str:
    """Put a package and what it depends on into the change."""
    if _version(there, name) == version:
        print(f"{name} is already the newest version ({version}).")
        return ""
    change.come[name] = version
    change.go += [rival for rival in apt_offers.RIVALS.get(name, ()) if _version(there, rival)]
    for dependency in filter(None, offers[name][version].split(", ")):
        other, _, wanted = dependency.partition(" (= ")
        exact = wanted.rstrip(")")
        if _version(there, other) == exact or (not exact and _version(there, other)):
            continue
        if exact not in offers.get(other, {}):
            return f"The following packages have unmet dependencies:\n {name} : Depends: {dependency}"
        refused = _take(other, exact, there, offers, change)
        if refused:
            return refused
    return ""


def _remove(
    names: list[str], there: dict[str, dpkg_status.Stanza], offers: dict[str, dict[str, str]], change: Change
) -> str:
    for name in names:
        if name not in there and name not in offers:
            return f"E: Unable to locate package {name}"
        if not _version(there, name):
            print(f"Package '{name}' is not installed, so not removed")
            continue
        change.go.append(name)
        for other, package in there.items():
            needs = {words.split(" ")[0] for words in package.get("Depends", "").split(", ")}
            if name in needs and _version(there, other) and other not in change.go:
                change.go.append(other)
    return ""


def _upgrade(
    _: list[str], there: dict[str, dpkg_status.Stanza], offers: dict[str, dict[str, str]], change: Change
) -> str:
    """Take the newest version of all that is there, but for what is held."""
    for name in sorted(there):
        old, newest = _version(there, name), next(reversed(offers.get(name, {"": ""})))
        if not old or not newest or old == newest or name in change.come:
            continue
        if dpkg_status.held(there[name]):
            change.kept.append(name)
        elif refused := _take(name, newest, there, offers, change):
            return refused
    return ""


VERBS = {"install": _install, "remove": _remove, "dist-upgrade": _upgrade}


def _forbidden(
    change: Change, there: dict[str, dpkg_status.Stanza], offers: dict[str, dict[str, str]], flags: set[str]
) -> str:
    if change.go and "--no-remove" in flags:
        return "E: Packages need to be removed but remove is disabled."
    for name in [*_other(change, there), *change.go]:
        if dpkg_status.held(there[name]) and "--allow-change-held-packages" not in flags:
            return "E: Held packages were changed and -y was used without --allow-change-held-packages."
    for name in _other(change, there):
        order = list(offers[name])
        known = order.index(there[name]["Version"]) if there[name]["Version"] in order else -1
        if order.index(change.come[name]) < known and "--allow-downgrades" not in flags:
            return "E: Packages were downgraded and -y was used without --allow-downgrades."
    return ""


def _version(there: dict[str, dpkg_status.Stanza], name: str) -> str:
    """The installed version; empty for a package that is not, or not wholly, installed."""
    return there[name]["Version"] if dpkg_status.state(there.get(name)) == "installed" else ""


def _new(change: Change, there: dict[str, dpkg_status.Stanza]) -> list[str]:
    return [name for name in change.come if not _version(there, name)]


def _other(change: Change, there: dict[str, dpkg_status.Stanza]) -> list[str]:
    """Packages that are there in another version."""
    return [name for name in change.come if _version(there, name)]


def _shown(change: Change, there: dict[str, dpkg_status.Stanza], simulated: bool) -> None:
    for name in change.go:
        version = there[name]["Version"]
        print(f"Remv {name} [{version}]" if simulated else f"Removing {name} ({version}) ...")
    for name, version in reversed(change.come.items()):
        old = f"[{_version(there, name)}] " if _version(there, name) else ""
        print(
            f"Inst {name} {old}({version} lab [amd64])" if simulated else f"Setting up {name} ({version}) ..."
        )


def _carry_out(change: Change, there: dict[str, dpkg_status.Stanza]) -> None:
    offers = apt_sources.offered(apt_sources.enabled())
    known_nginx = "nginx" in there
    for name in change.go:
        there[name]["Status"] = "deinstall ok config-files"
    for name, version in change.come.items():
        want = "hold" if dpkg_status.held(there.get(name)) else "install"
        there[name] = dpkg_status.stanza(name, version, want)
        if offers[name][version]:
            there[name]["Depends"] = offers[name][version]
    dpkg_status.write(there)
    if "nginx" in change.come:
        import apt_nginx

        apt_nginx.installed(first=not known_nginx)
    if "xrdp" in change.come:
        import apt_xrdp

        apt_xrdp.installed()
    if any(name.startswith("prometheus") for name in change.come):
        import apt_prometheus

        apt_prometheus.installed([name for name in change.come if name in apt_prometheus.PACKAGES])
    if "systemd-journal-remote" in change.come:
        import apt_journal

        apt_journal.installed()
    if "nvidia-container-toolkit-base" in change.come:
        import apt_toolkit

        apt_toolkit.installed()
    if any("-kernel-" in name for name in change.come):
        import apt_kernels

        apt_kernels.after(list(change.come))
    if any("-headers-" in name or name.startswith("nvidia-") for name in (*change.come, *change.go)):
        import apt_modules

        apt_modules.after(change.come, change.go)
    with model.change() as state:
        units = model.section(state, "units")
        for name in change.go:
            units.pop(f"{apt_offers.UNITS.get(name, '')}.service", None)
        for name in change.come:
            if name in apt_offers.UNITS:
                running = {"load": "loaded", "active": "active", "sub": "running", "enabled": "enabled"}
                units.setdefault(f"{apt_offers.UNITS[name]}.service", running)
