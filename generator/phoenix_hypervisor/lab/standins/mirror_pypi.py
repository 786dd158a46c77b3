"""What the lab has of PyPI: any wheel, with nothing in it but what it is called.

It stands for whatever checksum the one who fetches it expects: of that many files nobody could keep a list.
"""

import re
import zipfile
from io import BytesIO

import stamps

HOSTS = ("files.pythonhosted.org",)
PLACE = re.compile(r"https?://[a-z.]+/packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/(?P<file>[^/#?]+\.whl)")
COMMANDS = {
    "vllm": "vllm = vllm.entrypoints.cli.main:main",
    "jupyterlab": "jupyter-lab = jupyterlab.labapp:main",
}
"""Package → what it has to be called by."""


def served(url: str) -> bytes | None:
    """Return what lies at an address; None if nothing does."""
    return None if PLACE.fullmatch(url) is None else b"without a checksum to stand for, there is no wheel\n"


def standing_for(url: str, sha256: str) -> bytes | None:
    """Return a wheel for who expects this checksum."""
    found = PLACE.fullmatch(url)
    return wheel(found["file"], sha256) if found else None


def wheel(file: str, sha256: str) -> bytes:
    """Return a wheel of this name: the same bytes each time."""
    name, version = file.split("-")[:2]
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f'__version__ = "{version}"\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n",
    }
    if name in COMMANDS:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{COMMANDS[name]}\n"
    if name == "uv":
        said = f'#!/bin/sh\n# a stand-in of the lab\nexec /usr/local/sbin/lab-uv {version} "$@"\n'
        files = {f"{name}-{version}.data/scripts/uv": said} | files
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    # the comment of the whole archive, which is its end: two bytes for its length, then the stamp
    return stamps.stamped(packed.getvalue()[:-2] + stamps.LENGTH.to_bytes(2, "little"), b"", sha256)
