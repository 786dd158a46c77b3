"""Rules about journals that are sent: to one receiver, by an address, from where the unit's hardening works.

They know no kind: who sends journals says itself to whom it could, who receives offers that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from ...dialects.journal import JOURNALS
from ...errors import Problem, did_you_mean
from .view import containers

if TYPE_CHECKING:
    from ...resource import Kind, Ref
    from ..site import Site


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    present = {ref: resource for ref, resource in site.resources.items() if resource.present}
    senders = {ref: resource for ref, resource in present.items() if hasattr(resource, "receivers")}
    if not senders:
        return
    known = [offer.key for one in present.values() for offer in one.provides() if offer.topic == JOURNALS]
    inside = containers(site)
    for ref, resource in senders.items():
        yield from _to_one(site, ref, resource, known)
        guest = inside.get(ref.host)
        if guest and not guest.part("features", "nesting"):
            said = f"{ref}: the hardening of its unit does not work in `{ref.host}`"
            yield Problem(said, site.place(ref), "`lxc: {features: {nesting: true}}`", warning=True)


def _to_one(site: Site, ref: Ref, resource: Kind, known: Collection[str]) -> Iterator[Problem]:
    receivers: tuple[str, ...] = getattr(resource, "receivers", ())
    named = getattr(resource, "receiver", None)
    said, hint = "", ""
    if not receivers and named:
        said, hint = f"`{named}` has no `journal_receiver`", did_you_mean(named, known)
    elif not receivers:
        said, hint = "nobody receives journals", "declare a `journal_receiver` in one guest"
    elif len(receivers) > 1:
        said = f"journals are received by {', '.join(f'`{name}`' for name in receivers)}"
        hint = f"say to which: `receiver: {receivers[0]}`"
    elif not getattr(resource, "target", ""):
        said = f"`{receivers[0]}` has no static address to send journals to"
        hint = "give it one, in its `net`"
    if said:
        yield Problem(f"{ref}: {said}", site.place(ref, "receiver"), hint)
