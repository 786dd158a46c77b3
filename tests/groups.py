"""Which tests go to one process under xdist: those that share something costly to make.

xdist has marks for that, whose effect ended unnoticed with pytest 9.2; these groups follow from the ids of
tests alone. `--dist loadgroup` asks for them.
"""

import re

from xdist.scheduler import LoadScopeScheduling

REFERENCE = "the reference site"
ON_REFERENCE = re.compile(
    r"tests/(?:demo/|lab/test_(?:apply_reference|guests_converge|canary)\.py|packaging/test_readme\.py)"
)
"""Modules with tests on the whole reference site, which takes a minute to make."""
OF_A_KIND = re.compile(r"tests/contract/test_(?:life|checks|kinds)\.py::\w+\[(\w+)")
"""Tests of the contract suite, and the kind that each is about: its chapters are lived once."""
CONVERGED = "the converged virtual machine"
BLANK = "the blank virtual machine"
OF_THE_BLANK = re.compile(r"tests/vm/test_(?:disks|standins|power)\.py")
"""Tests on a machine on which nothing was done yet. One that is converged takes a minute to make."""


def group_of(nodeid: str) -> str:
    """Return the name of the group that a test is of; most are of their module's."""
    if ON_REFERENCE.match(nodeid):
        return REFERENCE
    if nodeid.startswith("tests/vm/"):
        return BLANK if OF_THE_BLANK.match(nodeid) else CONVERGED
    kind = OF_A_KIND.match(nodeid)
    return kind[1] if kind else nodeid.partition("::")[0]


class Groups(LoadScopeScheduling):
    """Gives out whole groups."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
