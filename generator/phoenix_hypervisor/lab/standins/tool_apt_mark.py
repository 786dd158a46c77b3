"""apt-mark: holds a package at its version, and lets it go again."""

import sys

import dpkg_status
import model


def main(argv: list[str]) -> int:
    verb, names = (argv[0], argv[1:]) if argv else ("", [])
    if verb not in ("hold", "unhold", "showhold") or any(name.startswith("-") for name in names):
        model.not_simulated("apt-mark", argv)
    packages = dpkg_status.read()
    if verb == "showhold":
        for name in sorted(name for name, package in packages.items() if dpkg_status.held(package)):
            print(name)
        return 0
    missing = [name for name in names if name not in packages]
    for name in missing:
        print(f"E: Unable to locate package {name}", file=sys.stderr)
    if missing or not names:
        print("E: No packages found", file=sys.stderr)
        return 100
    for name in names:
        print(_marked(packages[name], verb == "hold"))
    dpkg_status.write(packages)
    return 0


def _marked(package: dpkg_status.Stanza, hold: bool) -> str:
    want, ok, state = package["Status"].split()
    package["Status"] = f"{'hold' if hold else 'install'} {ok} {state}"
    if (want == "hold") == hold:
        return f"{package['Package']} was already {'set' if hold else 'not'} on hold."
    return f"{package['Package']} set on hold." if hold else f"Canceled hold on {package['Package']}."
