"""umount: take back what the stand-in for `mount` did."""

import os
import sys

import model
from exports_clients import mounts


def main(argv: list[str]) -> int:
    places = [word for word in argv if word not in ("-f", "-l", "-lf", "-fl")]
    if not places or any(place.startswith("-") for place in places):
        model.not_simulated("umount", argv)
    with model.change() as state:
        return max(_umount(state, place) for place in places)


def _umount(state: model.Model, place: str) -> int:
    point = os.path.abspath(place)
    points = [name for name, mount in mounts(state).items() if place in (name, mount["source"])]
    point = points[-1] if points else point
    mount = mounts(state).pop(point, None)
    if mount is None:
        there = os.path.exists(model.path(point))
        print(f"umount: {place}: {'not mounted' if there else 'no mount point specified'}.", file=sys.stderr)
        return 32
    os.unlink(model.path(point))
    os.rename(mount["kept"], model.path(point))
    return 0
