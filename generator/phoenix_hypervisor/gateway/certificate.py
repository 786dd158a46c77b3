"""Whether a certificate does what a gateway needs of it."""

from collections.abc import Iterable
from datetime import UTC, datetime

from ..dialects import x509

RIGHT = "holds"


def standing(text: str, now: float, names: Iterable[str], self_signed_days: int | None) -> str:
    """Return `holds`, or what is wrong. `now` is the host's own clock, in seconds since 1970."""
    try:
        found = x509.read(text)
    except ValueError as error:
        return str(error) if text.strip() else "there is none"
    today = datetime.fromtimestamp(now, UTC)
    missing = [name for name in names if not found.covers(name)]
    if today >= found.ends:
        return f"ended on {found.ends:%Y-%m-%d}"
    if today < found.begins:
        return f"begins only on {found.begins:%Y-%m-%d}: is the host's clock right?"
    if missing:
        return f"is not for {', '.join(missing)}"
    if self_signed_days is not None and left(text, now) < self_signed_days / 3:
        return f"ends on {found.ends:%Y-%m-%d}: a third of its time is left"
    return RIGHT


def left(text: str, now: float) -> float:
    """Return the days that are left; negative ones when it has ended. Raises ValueError."""
    return (x509.read(text).ends - datetime.fromtimestamp(now, UTC)).total_seconds() / 86400


def subject_names(names: Iterable[str]) -> str:
    """Return names as `openssl req -addext subjectAltName=…` takes them."""
    return ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdecimal()
