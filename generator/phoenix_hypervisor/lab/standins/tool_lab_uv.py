"""uv: `pip install` of wheels that lie in a folder, and `pip check`."""

import sys
import zipfile

import model
import wheels

SWITCHES = frozenset(("--no-config", "--offline", "--no-index", "--no-deps"))
VALUES = frozenset(("--cache-dir", "--python"))


def main(argv: list[str]) -> int:
    version, *words = argv
    if words in (["--version"], ["-V"]):
        print(f"uv {version}")
        return 0
    options, rest = wheels.take(words, SWITCHES, VALUES)
    if rest == ["pip", "check"] and "--python" in options:
        print("All installed packages are compatible", file=sys.stderr)
        return 0
    if rest[:2] != ["pip", "install"] or not {"--python", "--no-index", "--no-deps"} <= options.keys():
        model.not_simulated("uv", words)
    try:
        found = wheels.install(options["--python"], rest[2:])
    except (OSError, zipfile.BadZipFile) as error:
        return wheels.failed("error: Failed to install", error)
    print(f"Installed {len(found)} packages in 1ms", file=sys.stderr)
    for one in sorted(found):
        print(f" + {one}", file=sys.stderr)
    return 0
