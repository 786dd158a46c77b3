"""sysctl: kernel parameters. A lab node has the machine's kernel, so what is set is kept in the model."""

import os
import sys

import model
import zfs_options

FOLDER = "/proc/sys"
NUMBERS = ("vm.", "fs.", "net.")
"""Where the kernel takes numbers only, with few exceptions."""
WORDS = frozenset(("net.core.default_qdisc", "net.ipv4.tcp_congestion_control", "net.ipv4.tcp_fastopen_key"))


def main(argv: list[str]) -> int:
    options = zfs_options.parse("sysctl", argv, "enqwN", ("ignore", "names", "values", "quiet", "write"))
    if not options.rest:
        model.not_simulated("sysctl", argv)
    given = {name for name, _ in options.pairs}
    quiet, ignore = bool(given & {"q", "quiet"}), bool(given & {"e", "ignore"})
    if given & {"w", "write"}:
        return max(_write(words, quiet, ignore) for words in options.rest)
    form = "{1}" if given & {"n", "values"} else "{0}" if given & {"N", "names"} else "{0} = {1}"
    return max(_show(_dotted(name), form, ignore) for name in options.rest)


def _dotted(name: str) -> str:
    slash, dot = name.find("/"), name.find(".")
    return name.translate(str.maketrans("./", "/.")) if slash >= 0 and (dot < 0 or slash < dot) else name


def _place(name: str) -> str:
    return f"{FOLDER}/{name.translate(str.maketrans('./', '/.'))}"


def _show(name: str, form: str, ignore: bool) -> int:
    found = model.section(model.read(), "sysctl").get(name)
    if found is None:
        try:
            with open(_place(name), encoding="utf-8") as file:
                found = file.read().rstrip("\n")
        except FileNotFoundError:
            return _unknown(name, ignore)
        except OSError:
            print(f'sysctl: permission denied on key "{name}"', file=sys.stderr)
            return 1
    print(form.format(name, found))
    return 0


def _unknown(name: str, ignore: bool) -> int:
    if not ignore:
        print(f"sysctl: cannot stat {_place(name)}: No such file or directory", file=sys.stderr)
    return 0 if ignore else 1


def _write(words: str, quiet: bool, ignore: bool) -> int:
    written, equals, value = words.partition("=")
    name = _dotted(written)
    if not equals:
        print("sysctl: command line(0): invalid syntax, continuing...", file=sys.stderr)
        return 1
    if not os.path.exists(_place(name)):
        return _unknown(name, ignore)
    numbers = value.replace("-", "").split()
    if name.startswith(NUMBERS) and name not in WORDS and not all(word.isdigit() for word in numbers):
        print(f'sysctl: setting key "{name}": Invalid argument', file=sys.stderr)
        return 1
    with model.change() as state:
        # The kernel prints numbers with tabs between them.
        model.section(state, "sysctl")[name] = "\t".join(value.split()) if name.startswith(NUMBERS) else value
    if not quiet:
        print(f"{name} = {value}")
    return 0
