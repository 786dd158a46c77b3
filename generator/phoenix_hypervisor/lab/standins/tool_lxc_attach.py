"""lxc-attach: a command in a running container, without Proxmox around it."""

import os
import sys

import guest_runtime
import model

AHEAD = ("guest_attach", "tool_systemctl")
"""What the way into a guest is made of, and what is asked there most."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def main(argv: list[str]) -> int:
    if guest_runtime.real():
        os.execv("/usr/bin/lxc-attach", ["lxc-attach", *argv])  # noqa: S606 - this process becomes the real tool
    name, clear, rest = "", False, list(argv)
    keep: list[str] = []
    extra: dict[str, str] = {}
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if word == "--":
            break
        if option in ("-n", "--name", "-v", "--set-var", "--keep-var") and (equals or rest):
            value = value if equals else rest.pop(0)
            if option in ("-n", "--name"):
                name = value
            elif option == "--keep-var":
                keep.append(value)
            else:
                extra |= dict([value.partition("=")[::2]])
        elif word in ("--clear-env", "--keep-env"):
            clear = word == "--clear-env"
        else:
            model.not_simulated("lxc-attach", argv)
    if not name:
        print("lxc-attach: No container name specified", file=sys.stderr)
        return 1
    environment = {key: value for key, value in os.environ.items() if not clear or key in keep}
    environment = {"PATH": PATH} | environment | {"container": "lxc", "TERM": "linux"} | extra
    try:
        return guest_runtime.attach(name, rest, environment)
    except guest_runtime.RunError as error:
        print(error.text, file=sys.stderr)
        return error.status
