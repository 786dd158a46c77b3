"""dpkg-query: shows what dpkg's list has, in a format of one's own."""

import fnmatch
import re
import sys

import dpkg_status
import model

FIELDS = ("Package", "Architecture", "Version", "Status")


def main(argv: list[str]) -> int:
    names, form = [], "${binary:Package}\\t${Version}\\n"
    words = list(argv)
    shows = False
    while words:
        word = words.pop(0)
        if word in ("-W", "--show"):
            shows = True
        elif word in ("-f", "--showformat") and words:
            form = words.pop(0)
        elif word.startswith(("-f=", "--showformat=")):
            form = word.partition("=")[2]
        elif word.startswith("-"):
            model.not_simulated("dpkg-query", argv)
        else:
            names.append(word)
    if not shows:
        model.not_simulated("dpkg-query", argv)
    packages = dpkg_status.read()
    # without names, what was removed but for its settings is shown as well
    wanted = [
        name for name in sorted(packages) if not names or any(fnmatch.fnmatch(name, one) for one in names)
    ]
    for name in wanted:
        print(_shown(form, packages[name], argv), end="")
    missing = [one for one in names if not any(fnmatch.fnmatch(name, one) for name in packages)]
    for one in missing:
        print(f"dpkg-query: no packages found matching {one}", file=sys.stderr)
    return 1 if missing else 0


def _shown(form: str, package: dpkg_status.Stanza, argv: list[str]) -> str:
    def value(found: re.Match[str]) -> str:
        want, _, state = package["Status"].split()
        known = {
            "db:Status-Abbrev": f"{dpkg_status.LETTERS[want]}{dpkg_status.STATES[state]} ",
            "db:Status-Want": want,
            "db:Status-Status": state,
            "binary:Package": package["Package"],
            **{name: package[name] for name in FIELDS},
        }
        return known[found[1]] if found[1] in known else model.not_simulated("dpkg-query", argv)

    text = re.sub(r"\$\{([^}]*)\}", value, form)
    return text.replace("\\t", "\t").replace("\\n", "\n")
