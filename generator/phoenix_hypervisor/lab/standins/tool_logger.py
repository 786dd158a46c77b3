"""logger: a line for the journal, as scripts leave it there."""

import os

import guest_journal
import model


def main(argv: list[str]) -> int:
    who, words = "root", list(argv)
    if words[:1] == ["-t"] and len(words) > 1:
        who, words = words[1], words[2:]
    if not words or words[0].startswith("-"):
        return model.not_simulated("logger", argv)
    guest_journal.append("syslog", (" ".join(words),), f"{who}[{os.getpid()}]")
    return 0
