"""Locales of a lab host: which were generated is in the model, all else in files as on a real one."""

import dpkg_status
import model

BUILT_IN = ("C", "C.utf8", "POSIX")
KNOWN = ("de_AT", "de_CH", "de_DE", "en_GB", "en_US", "es_ES", "fr_FR", "it_IT", "nl_NL", "pl_PL", "pt_BR")
"""Languages of which the lab has a definition."""


def installed() -> bool:
    """Tell whether the package with the definitions is there."""
    return dpkg_status.state(dpkg_status.read().get("locales")) == "installed"


def generated(state: model.Model) -> list[str]:
    """Return what `locale -a` lists."""
    found: list[str] = state.get("locales", [])
    return [*BUILT_IN, *found]
