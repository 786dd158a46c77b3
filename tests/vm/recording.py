"""Which tools really run while phoenix works, with their words: all those that the lab has stand-ins for."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from tests.vm.site import VmSite

from phoenix_hypervisor.lab.node import standins
from phoenix_hypervisor.lab.vm.furnishing import STAND_IN_FOR

TOOLS = frozenset(standins()) - frozenset(STAND_IN_FOR)
"""Those of the lab that are real on the machine, where it has them."""
WITH_A_VERB = ("zpool", "zfs", "systemctl")
# What a stand-in calls, or `update-rc.d`, or Samba's unit before it starts, phoenix does not call.
# No file here needs a fork.
BEGIN = r"""
: >/root/called
for tool in {tools}; do
    for real in /usr/sbin/$tool /usr/bin/$tool; do
        [ ! -x $real ] || printf '%s\n' '#!/bin/sh' 'read -r parent </proc/$PPID/comm' \
            'case $parent in python3 | update-rc.d | is-configured) ;;' \
            '*) printf "%s\037" '$tool' "$@" "" >>/root/called ;;' esac \
            "exec $real \"\$@\"" >/usr/local/sbin/$tool
    done
done
chmod 755 /usr/local/sbin/*
"""
ENDED = """\
cat /root/called
cd /usr/local/sbin
grep -l /root/called -- * | xargs rm
"""
Use = tuple[str, str, str | tuple[str, ...]]
"""A tool, its verb if its first word is one, and a name among its words, or all of its options."""


@contextmanager
def recorded(site: VmSite, uses: set[Use]) -> Iterator[None]:
    """Add what is called meanwhile to `uses`."""
    site.on_node(BEGIN.format(tools=" ".join(sorted(TOOLS))))
    yield
    for call in site.on_node(ENDED).split("\x1f\x1f")[:-1]:
        uses.update(used(call.split("\x1f")))


def used(words: Sequence[str]) -> Iterator[Use]:
    """Yield what is told of one call: `zfs get -Hp recordsize,quota tank` has one option and two names."""
    tool, *words = words
    verb = words[0] if tool in WITH_A_VERB and words else ""
    yield tool, verb, tuple(sorted({word for word in words if word.startswith("-")}))
    for word in words:
        names = word.split(",")
        if len(names) > 1 or "=" in word:
            yield from ((tool, verb, name.partition("=")[0]) for name in names)


def written(lines: Iterable[str]) -> Iterator[Use]:
    """Yield the same of commands as they stand in lines of shell."""
    for line in lines:
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        words.commenters = ""
        call: list[str] = []
        for word in (*words, ";"):
            if not set(word) <= set("();<>|&"):
                call += [word] if call or word in TOOLS else []
            elif call:
                yield from used(call)
                call = []
