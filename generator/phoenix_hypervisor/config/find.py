"""Where a site is, and which of its resources a reference names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError, did_you_mean
from ..resource import Ref

if TYPE_CHECKING:
    from .site import Site


def find_folder(given: str | None, start: Path | None = None) -> Path:
    """Return the site's folder: the given one, or the nearest one upwards that holds configs/site.yaml."""
    if given:
        return Path(given).resolve()
    here = (start or Path.cwd()).resolve()
    return next(
        (folder for folder in (here, *here.parents) if (folder / "configs" / "site.yaml").is_file()), here
    )


def named(site: Site, text: str) -> list[Ref]:
    """Return the declared resources a reference names, on every host that has it. Raises UsageError."""
    host, _, rest = text.partition("/") if "/" in text.partition(":")[0] else ("", "", text)
    kind, _, name = rest.partition(":")
    found = [ref for ref in site.resources if (ref.kind, ref.name) == (kind, name) and host in ("", ref.host)]
    if not found:
        known = [str(ref) for ref in site.resources] + [ref.full for ref in site.resources]
        raise UsageError(
            f"no resource `{text}`", hint=did_you_mean(text, known) or "`phoenix validate -v` lists them"
        )
    return found
