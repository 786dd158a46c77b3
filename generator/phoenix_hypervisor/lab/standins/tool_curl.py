"""curl: from NVIDIA's servers it brings what the lab has of them; all else is the real tool's to try."""

import os
import sys

import model
import nvidia_mirror


def main(argv: list[str]) -> int:
    url = argv[-1] if argv else ""
    host, slash, rest = url.partition("://")[2].partition("/")
    if host not in nvidia_mirror.HOSTS:
        return fallback(argv)
    if "--output" not in argv[:-2] or "-fsSL" not in argv:
        model.not_simulated("curl", argv)
    content = nvidia_mirror.served(host, slash + rest)
    if content is None:
        print("curl: (22) The requested URL returned error: 404", file=sys.stderr)
        return 22
    with open(argv[argv.index("--output") + 1], "wb") as file:
        file.write(content)
    return 0


def fallback(argv: list[str]) -> int:
    if os.access("/usr/bin/curl", os.X_OK):
        os.execv("/usr/bin/curl", ["curl", *argv])  # noqa: S606 - this process becomes the real tool
    host = (argv[-1] if argv else "").partition("://")[2].partition("/")[0]
    print(f"curl: (6) Could not resolve host: {host}", file=sys.stderr)
    return 6
