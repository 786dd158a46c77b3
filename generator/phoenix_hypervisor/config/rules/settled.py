"""Ids that have no rule: what cannot be wrong in a site, and why. Said for `phoenix validate --explain`."""

from typing import NamedTuple


class Settled(NamedTuple):
    """A defect that real configurations had, and a site's files cannot have."""

    id: str
    defect: str
    why: str
    """Why not."""


_ALL = (
    Settled(
        "V-10",
        "a test that is named and is not there",
        "tests are not declared: a kind brings its checks along, and a text of one's own comes by `!file`, "
        "which must be there (V-09)",
    ),
    Settled(
        "V-11",
        "a test that always fails",
        "tests are not declared; of each kind it is proven that its checks pass on what it made, and fail "
        "where that is missing or otherwise",
    ),
    Settled(
        "V-12",
        "a test of something else than is served",
        "probes follow from what is declared: `task: embed` is asked for an embedding, `chat` for an answer",
    ),
    Settled(
        "V-31",
        "an archive that is looked for elsewhere than on its storage",
        "a `ct_template` names its storage, and only that is asked for it",
    ),
    Settled(
        "V-46",
        "a template with the address of somebody who works",
        "a `vm_image` has no network: its clones have; an address that somebody gave it is taken away. What "
        "a container would take over from its layer is an address that two have (V-01)",
    ),
    Settled(
        "V-49",
        "a certificate that is renewed later than it expires",
        "nothing is renewed by a timetable: certificates are looked at with everything else; one that the "
        "host makes is made anew in the last third of its life, others are told of `notice_days` ahead",
    ),
    Settled(
        "V-50",
        "a second run that changes something again",
        "it is a promise of the tool's, not of the files: of each kind it is proven that the second of two "
        "applies runs nothing",
    ),
)
SETTLED = {one.id: one for one in _ALL}
"""Each by its id."""
