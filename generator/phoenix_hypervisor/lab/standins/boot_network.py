"""The network at boot: what /etc/network/interfaces brings up by itself, and nothing else."""

import network_live


def boot() -> None:
    """Bring up what is `auto`."""
    network_live.boot()
