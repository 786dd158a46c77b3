"""lxc-info: state, process and addresses of a container."""

import os
import sys

import guest_runtime
import model


def main(argv: list[str]) -> int:
    if guest_runtime.real():
        os.execv("/usr/bin/lxc-info", ["lxc-info", *argv])  # noqa: S606 - this process becomes the real tool
    name, asked, bare, rest = "", [], False, list(argv)
    while rest:
        word = rest.pop(0)
        if word in ("-n", "--name") and rest:
            name = rest.pop(0)
        elif word.startswith("--name="):
            name = word.partition("=")[2]
        elif word in ("-H", "--no-humanize"):
            bare = True
        elif word in ("-s", "--state", "-p", "--pid", "-i", "--ips"):
            asked.append(word.lstrip("-")[0])
        elif word.startswith("-") and word[1:] and set(word[1:]) <= set("spiH"):
            asked += [letter for letter in word[1:] if letter != "H"]
            bare = bare or "H" in word
        elif not word.startswith("-") and not name:
            name = word
        else:
            model.not_simulated("lxc-info", argv)
    if not os.path.exists(model.path(f"/var/lib/lxc/{name}/config")):
        print(f"{name} doesn't exist", file=sys.stderr)
        return 1
    _tell(name, asked, bare)
    return 0


def _tell(name: str, asked: list[str], bare: bool) -> None:
    row = model.read().get("guests", {}).get(name, {})
    rows = [("Name", "n", name), ("State", "s", "RUNNING" if row.get("running") else "STOPPED")]
    if row.get("running"):
        rows.append(("PID", "p", str(row["pid"])))
        rows += [("IP", "i", address) for address in row.get("plan", {}).get("addresses", [])]
    for label, key, value in rows:
        if not asked or key in asked:
            print(value if bare else f"{label + ':':<15} {value}")
