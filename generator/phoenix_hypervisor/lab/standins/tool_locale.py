"""locale: `-a`; all else is the machine's own to say."""

import os

import locales
import model


def main(argv: list[str]) -> int:
    if argv != ["-a"]:
        os.execv("/usr/bin/locale", ["locale", *argv])  # noqa: S606 - this process becomes the real tool
    print("\n".join(sorted(locales.generated(model.read()))))
    return 0
