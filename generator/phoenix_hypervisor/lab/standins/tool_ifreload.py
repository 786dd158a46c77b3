"""ifreload: makes the network what the files say (`-a`), or only reads them (`--syntax-check`)."""

import sys

import model
import network_files
import network_live

CHECK = ("-s", "--syntax-check")
KNOWN = ("-a", "--all", "-v", "--verbose", *CHECK)


def main(argv: list[str]) -> int:
    if any(word not in KNOWN for word in argv):
        model.not_simulated("ifreload", argv)
    if not {"-a", "--all"} & set(argv):
        print("error: '-a' or '-c' option is required", file=sys.stderr)
        return 1
    files = network_files.Read()
    said = files.errors
    if not set(CHECK) & set(argv):
        said = said + network_live.reload(files)
    for line in said:
        print(line, file=sys.stderr)
    return int(any(line.startswith("error: ") for line in said))
