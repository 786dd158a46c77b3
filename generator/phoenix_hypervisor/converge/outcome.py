"""How an apply ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import ExitCode, HostError
from ..inspect.looks import Look, Status
from ..resource import Ref

if TYPE_CHECKING:
    from .steps import Ran


@dataclass
class Outcome:
    """How an apply ended."""

    looks: dict[Ref, Look]
    ran: list[Ran] = field(default_factory=list)
    stuck: dict[Ref, str] = field(default_factory=dict)
    """Resources given up on, with the reason."""
    waiting: dict[Ref, str] = field(default_factory=dict)
    """Resources that wait for a reboot of their node, with what it is needed for."""
    lost: dict[str, HostError] = field(default_factory=dict)
    """Hosts nothing is known about, with the reason."""
    phases: dict[str, float] = field(default_factory=dict)
    """How many seconds each part of the run took, by the names of phases.py."""
    stopped: bool = False
    """Whether somebody stopped it between two steps."""

    @property
    def code(self) -> ExitCode:
        """The exit status of `phoenix apply`."""
        statuses = {look.status for ref, look in self.looks.items() if not self.waits(ref)}
        codes = [ExitCode.OK]
        if self.stuck or statuses & {Status.DRIFT, Status.UNHEALTHY}:
            codes.append(ExitCode.FAILED)
        if Status.UNKNOWN in statuses:
            codes.append(ExitCode.UNKNOWN)
        if Status.BLOCKED in statuses and len(codes) == 1:
            codes.append(ExitCode.FAILED)
        if self.waiting:
            codes.append(ExitCode.PENDING)
        return ExitCode.worst(codes)

    def waits(self, ref: Ref) -> Ref | None:
        """Return what waits for a reboot: a resource itself, or what it is blocked by in the end."""
        seen: set[Ref] = set()
        while ref not in self.waiting and ref not in seen:
            seen.add(ref)
            look = self.looks.get(ref)
            if look is None or look.blocked_by is None:
                return None
            ref = look.blocked_by
        return ref if ref in self.waiting else None
