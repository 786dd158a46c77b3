"""ifquery: which interfaces the files bring up by themselves (`-l`, `--list`)."""

import model
import network_files


def main(argv: list[str]) -> int:
    if any(word not in ("-a", "--all", "-l", "--list") for word in argv) or not {"-l", "--list"} & set(argv):
        model.not_simulated("ifquery", argv)
    files = network_files.Read()
    for name in files.auto:
        if name in files.stanzas:
            print(name)
    return 0
