"""The running smbd: the configuration it has in memory, which is not always the one on disk."""

import model
import samba_config


def load() -> bool:
    """Read smb.conf into smbd's memory and say whether it went well; if not, what is there stays."""
    try:
        config = samba_config.load()
    except samba_config.Failed:
        return False
    loaded = {"globals": config.globals, "defaults": config.defaults, "shares": config.shares}
    with model.change() as state:
        # Order of shares matters for listings, and the model's file sorts its keys.
        state["samba_loaded"] = {**loaded, "order": list(config.shares)}
    return True


def current(state: model.Model) -> samba_config.Config:
    """Return what smbd works with now: at first the distribution's file, which shares no folder of ours."""
    config = samba_config.Config()
    loaded = state.get("samba_loaded", {"globals": {"map to guest": "Bad User"}})
    config.globals = loaded.get("globals", {})
    config.defaults = loaded.get("defaults", {})
    config.shares = {name: loaded["shares"][name] for name in loaded.get("order", [])}
    return config
