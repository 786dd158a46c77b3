"""Rules about backups: where they go, and which guests have none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...errors import Problem, Where, did_you_mean
from .guests import may_hold
from .view import everybody

if TYPE_CHECKING:
    from ..site import Site


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    jobs = {ref: job for ref, job in site.resources.items() if ref.kind == "backup_job" and job.present}
    for ref, job in jobs.items():
        yield from may_hold(site, ref, str(getattr(job, "storage", "")), "backup", ("storage",))
        yield from _known(site, getattr(job, "left_out", {}), site.place(ref, "left_out"), str(ref))
    yield from _without(site)


def _known(site: Site, names: object, place: Where | None, whose: str) -> Iterator[Problem]:
    for name in names if isinstance(names, (list, dict)) else ():
        if name not in site.guests:
            said = f"{whose}: there is no guest `{name}`"
            yield Problem(said, place, did_you_mean(name, site.guests), "V-27")


def _without(site: Site) -> Iterator[Problem]:
    """Where the site lists the guests that may be without a backup, every other one is in some job."""
    allowed = site.head.allow.guests_without_backup
    if allowed is None:
        return
    place = site.head_tree.place("allow", "guests_without_backup")
    yield from _known(site, allowed, place, "`guests_without_backup`")
    for one in everybody(site).values():
        if not (one.is_layer or one.name in allowed or _is_saved(site, one.node, one.name)):
            yield Problem(
                f"{one.ref}: `{one.name}` is in no backup job",
                site.place(one.ref),
                "add it to the `guests` of a `backup_job`, or to `allow: {guests_without_backup: [NAME]}` "
                "in configs/site.yaml",
            )


def _is_saved(site: Site, node: str, name: str) -> bool:
    for ref, job in site.resources.items():
        if (ref.host, ref.kind) == (node, "backup_job") and job.present and getattr(job, "enabled", False):
            guests, excluded = getattr(job, "guests", ()), getattr(job, "exclude", ())
            if (guests == "all" and name not in excluded) or (guests != "all" and name in guests):
                return True
    return False
