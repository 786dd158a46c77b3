"""Where a path of a guest lies on the node, whatever links the guest has made."""

import os
import posixpath


def inner(root: str, path: str) -> str:
    """Return where a path of the guest really lies."""
    return root + resolved(root, path)


def resolved(root: str, path: str) -> str:
    """Return a path of the guest without links, so that a link of the guest's cannot lead out of its root."""
    done, rest, links = "/", [part for part in path.split("/") if part], 0
    while rest:
        part = rest.pop(0)
        done = posixpath.normpath(posixpath.join(done, part))
        if os.path.islink(root + done) and links < 40:
            links += 1
            target = os.readlink(root + done)
            done = "/" if target.startswith("/") else posixpath.dirname(done)
            rest = [piece for piece in target.split("/") if piece] + rest
    return done
