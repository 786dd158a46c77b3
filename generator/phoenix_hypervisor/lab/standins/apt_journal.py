"""What systemd-journal-remote brings: settings, units that nobody starts, and its programs."""

import os

import model

PACKAGE = "systemd-journal-remote"
CONF = {
    "/etc/systemd/journal-remote.conf": "[Remote]\n# SplitMode=host\n",
    "/etc/systemd/journal-upload.conf": "[Upload]\n# URL=\n",
}
PROGRAMS = ("systemd-journal-remote", "systemd-journal-upload")
UNITS = (
    "systemd-journal-remote.service",
    "systemd-journal-remote.socket",
    "systemd-journal-upload.service",
)


def installed() -> None:
    """Do what its files and scripts do. What is there already stays."""
    for path, text in CONF.items():
        if not os.path.exists(model.path(path)):
            os.makedirs(os.path.dirname(model.path(path)), exist_ok=True)
            with open(model.path(path), "w", encoding="utf-8") as file:
                file.write(text)
    for name in PROGRAMS:
        place = model.path(f"/usr/local/sbin/{name}")
        with open(place, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec /usr/local/sbin/lab-program {name} "$@"\n')
        os.chmod(place, 0o755)  # noqa: S103  (a program)
    with model.change() as state:
        units = model.section(state, "units")
        for name in UNITS:
            resting = {"load": "loaded", "active": "inactive", "sub": "dead", "enabled": "disabled"}
            units.setdefault(name, resting)
