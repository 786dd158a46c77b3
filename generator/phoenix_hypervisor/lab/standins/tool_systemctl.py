"""systemctl: units of the lab, their state and the jobs that change it."""

import sys

import model
import unit_jobs
import units

VALUED = ("-p", "--property", "-t", "--type", "--state", "-n", "--lines", "-o", "--output")
PLAIN = frozenset((
    "--no-pager", "--no-legend", "--now", "-q", "--quiet", "--value", "-l", "--full", "--no-block",
    "--system", "--no-wall",
    "--plain", "-a", "--all", "--failed", "--no-ask-password", "-f", "--force",
))  # fmt: skip
JOBS = {
    "start": unit_jobs.start, "stop": unit_jobs.stop, "restart": unit_jobs.restart,
    "reload": unit_jobs.reload,
    "unmask": unit_jobs.unmask, "mask": unit_jobs.mask, "enable": unit_jobs.enable,
    "disable": unit_jobs.disable,
}  # fmt: skip


VERSION = "systemd 257 (257.8-1~deb13u2)\n+PAM +AUDIT +SELINUX +APPARMOR +IMA +IPE +SMACK +SECCOMP"


def main(argv: list[str]) -> int:
    if argv == ["--version"]:
        print(VERSION)
        return 0
    words, options = _split(argv)
    verb, names = (words[0], words[1:]) if words else ("list-units", [])
    if verb in (
        "daemon-reload",
        "reset-failed",
        "is-system-running",
        "list-units",
        "list-unit-files",
        "show",
    ):
        return _overview(verb, names, options, argv)
    if verb == "reboot" and not names:
        import going_down

        return going_down.go()
    if not names:
        print("Too few arguments.", file=sys.stderr)
        return 1
    names = [units.full_name(name) for name in names]
    if verb in JOBS:
        quietly = verb in ("enable", "disable") and bool({"-q", "--quiet"} & options.keys())
        code = max(JOBS[verb](name, *([True] if quietly else [])) for name in names)
        follow = {"enable": unit_jobs.start, "disable": unit_jobs.stop, "mask": unit_jobs.stop}.get(verb)
        if code == 0 and "--now" in options and follow:
            code = max(follow(name) for name in names)
        return code
    if verb in ("reload-or-restart", "try-restart", "try-reload-or-restart", "reload-or-try-restart"):
        return max(_either(verb, name) for name in names)
    if verb in ("is-active", "is-failed", "is-enabled", "status", "cat"):
        import unit_views

        return unit_views.view(verb, names, options)
    return model.not_simulated("systemctl", argv)


def _split(argv: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the words and the options with their values; unknown options are not simulated."""
    words: list[str] = []
    options: dict[str, list[str]] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in VALUED and word.startswith("--") and equals:
            options.setdefault(name, []).append(value)
        elif word in VALUED and rest:
            options.setdefault(word, []).append(rest.pop(0))
        elif word[:2] in VALUED and len(word) > 2 and word[1] != "-":
            options.setdefault(word[:2], []).append(word[2:])
        elif word in PLAIN:
            options.setdefault(word, [])
        elif word.startswith("-"):
            model.not_simulated("systemctl", argv)
        else:
            words.append(word)
    return words, options


def _either(verb: str, name: str) -> int:
    state = model.read()
    unit = units.known(state, name)
    running = unit is not None and unit.get("active") == "active"
    if "try" in verb and not running:
        return 0
    if "reload" in verb and unit is not None and running and unit_jobs.reloadable(name, unit):
        return unit_jobs.reload(name)
    code = unit_jobs.refusal(name, verb)
    return unit_jobs.restart(name) if code is None else code


def _overview(verb: str, names: list[str], options: dict[str, list[str]], argv: list[str]) -> int:
    import unit_views

    if verb == "daemon-reload":
        with model.change() as state:
            for name, unit in model.section(state, "units").items():
                full = units.full_name(name)
                more = bool(units.drop_ins(full))
                if more or "definition" in unit:
                    there = (more or units.file_of(full)) and not units.masked(full)
                    unit["definition"] = units.read(full) if there else {}
        return 0
    if verb == "reset-failed":
        wanted = {units.full_name(name) for name in names}
        with model.change() as state:
            for name, unit in model.section(state, "units").items():
                if unit.get("active") == "failed" and (not wanted or units.full_name(name) in wanted):
                    unit.update(active="inactive", sub="dead", result="success")
        return 0
    if verb == "is-system-running":
        return unit_views.system()
    if verb == "show":
        if not names:
            model.not_simulated("systemctl", argv)
        return unit_views.show([units.full_name(name) for name in names], options)
    return unit_views.table(verb, names, options)
