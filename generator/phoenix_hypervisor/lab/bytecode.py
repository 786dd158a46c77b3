"""Compiled stand-ins: nodes use those that lie beside their sources, as Python keeps them anywhere.

A node cannot write there. Where they are not to be had, each node compiles for itself what it runs, into a
folder of its own, which takes it a second or two.
"""

import compileall
import functools
import importlib.util
import os
import sys
from pathlib import Path

from . import sandbox


@functools.cache
def beside() -> bool:
    """Compile what is not compiled yet; whether all that a stand-in imports lies beside its source then."""
    if sys.dont_write_bytecode or sys.pycache_prefix:
        return False
    own = [Path(__file__).with_name(name) for name in sandbox.OWN]
    return _library() and all(compileall.compile_dir(folder, maxlevels=0, quiet=2) for folder in own)


def _library() -> bool:
    """Whether the standard library is compiled: how it was installed decides that."""
    library = Path(os.__file__).parent
    return all(
        os.path.exists(importlib.util.cache_from_source(source))
        for source in [*library.glob("*.py"), *library.glob("*/__init__.py")]
    )
