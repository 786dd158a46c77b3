"""What NVIDIA's container toolkit brings: its own settings, as its package makes them, in meaning."""

import os
import time

import model

FILE = "/etc/nvidia-container-runtime/config.toml"
CONFIG = """\
#accept-nvidia-visible-devices-as-volume-mounts = false
disable-require = false
supported-driver-capabilities = "compat32,compute,display,graphics,ngx,utility,video"

[nvidia-container-cli]
#debug = "/var/log/nvidia-container-toolkit.log"
environment = []
ldconfig = "@/sbin/ldconfig.real"
load-kmods = true
#no-cgroups = false
#user = "root:video"

[nvidia-container-runtime]
log-level = "info"
mode = "auto"
runtimes = ["runc", "crun"]

[nvidia-container-runtime-hook]
path = "nvidia-container-runtime-hook"
skip-mode-detection = false
"""


def installed() -> None:
    """Do what its scripts do: a file that is there stays."""
    place = model.path(FILE)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if not os.path.exists(place):
        with open(place, "w", encoding="utf-8") as file:
            file.write(CONFIG)
    with model.change() as state:
        # a daemon of Docker's looks for the hook when it starts, and then never again
        model.section(state, "toolkit").setdefault("since", time.time())
