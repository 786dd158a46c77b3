"""What systemctl prints about units."""

import sys

import model
import runtime
import unit_programs
import units

_SERVICE_FIRST = (
    "Type", "Restart", "MainPID", "Result", "NRestarts", "ExecMainPID", "ExecMainCode", "ExecMainStatus",
    "ExecStart", "MemoryMax",
)  # fmt: skip
_UNIT = (
    "Id", "Names", "Description", "LoadState", "ActiveState", "SubState", "FragmentPath", "DropInPaths",
    "UnitFileState", "UnitFilePreset", "CanStart", "CanStop", "CanReload", "NeedDaemonReload",
)  # fmt: skip


def view(verb: str, names: list[str], options: dict[str, list[str]]) -> int:
    if runtime.in_guest():
        unit_programs.settle(names)
    state = model.read()
    if verb == "is-enabled":
        return _is_enabled(state, names, options)
    if verb == "status":
        return max(_status(state, name) for name in names)
    if verb == "cat":
        return max(_cat(name) for name in names)
    quiet = {"-q", "--quiet"} & options.keys()
    found = [str((units.known(state, name) or {}).get("active", "inactive")) for name in names]
    if not quiet:
        print("\n".join(found))
    wanted = "active" if verb == "is-active" else "failed"
    return 0 if wanted in found else 3 if verb == "is-active" else 1


def _is_enabled(state: model.Model, names: list[str], options: dict[str, list[str]]) -> int:
    good = False
    for name in names:
        unit = units.known(state, name)
        if unit is None and not units.masked(name):
            # systemctl gives up here, whatever it was asked about the others.
            print(f"Failed to get unit file state for {name}: No such file or directory", file=sys.stderr)
            return 1
        word = units.enabled(name, unit or {})
        good = good or word in (
            "enabled",
            "enabled-runtime",
            "static",
            "alias",
            "indirect",
            "generated",
            "transient",
        )
        if not {"-q", "--quiet"} & options.keys():
            print(word)
    return 0 if good else 1


def _status(state: model.Model, name: str) -> int:
    unit = units.known(state, name)
    if unit is None:
        print(f"Unit {name} could not be found.", file=sys.stderr)
        return 4
    facts = properties(state, name)
    sign = {"active": "●", "failed": "×"}.get(facts["ActiveState"], "○")  # noqa: RUF001 - as it prints
    where = facts["FragmentPath"] or f"/lib/systemd/system/{name}"
    result = f" (Result: {facts['Result']})" if facts["ActiveState"] == "failed" else ""
    print(f"{sign} {name} - {facts['Description']}")
    print(f"     Loaded: {facts['LoadState']} ({where}; {facts['UnitFileState']}; preset: enabled)")
    print(f"     Active: {facts['ActiveState']}{result or ' (' + facts['SubState'] + ')'}")
    if runtime.in_guest():
        _last_words(state, name)
    return 0 if facts["ActiveState"] == "active" else 3


def _last_words(state: model.Model, name: str) -> None:
    """Print the end of a unit's journal, as `status` does."""
    import time

    import guest_journal

    rows = guest_journal.rows(name)[-10:]
    if rows:
        print()
    for when, who, text in rows:
        stamp = time.strftime("%b %d %H:%M:%S", time.localtime(when))
        print(f"{stamp} {state.get('hostname', 'localhost')} {who}: {text}")


def _cat(name: str) -> int:
    places = [place for place in (units.file_of(name), *units.drop_ins(name)) if place]
    if not places:
        print(f"No files found for {name}.", file=sys.stderr)
        return 1
    for number, place in enumerate(places):
        with open(model.path(place), encoding="utf-8") as file:
            print(("\n" if number else "") + f"# {place}\n" + file.read(), end="")
    return 0


def properties(state: model.Model, name: str) -> dict[str, str]:
    """Return what `systemctl show` knows here, in its order."""
    unit = units.known(state, name)
    facts = dict.fromkeys((*(_SERVICE_FIRST if name.endswith(".service") else ()), *_UNIT), "")
    facts.update(
        Id=name, Names=name, Description=name, LoadState="not-found", ActiveState="inactive", SubState="dead"
    )
    facts.update(CanStart="no", CanStop="no", CanReload="no", NeedDaemonReload="no")
    if name.endswith(".service"):
        facts.update(
            Type="simple", Restart="no", MainPID="0", Result="success", NRestarts="0", MemoryMax="infinity"
        )
        facts.update(ExecMainPID="0", ExecMainCode="0", ExecMainStatus="0")
    if units.masked(name):
        facts.update(LoadState="masked", UnitFileState="masked", FragmentPath=f"{units.FOLDER}/{name}")
    if unit is None:
        return facts
    facts.update(ActiveState=str(unit.get("active", "inactive")), SubState=str(unit.get("sub", "dead")))
    if not units.masked(name):
        _loaded(facts, name, unit)
    return facts


def _command(name: str, unit: units.Unit) -> str:
    """Return the first command of a unit as `systemctl show` prints it, which is not at all without one."""
    import unit_words

    lines = unit.get("definition", {}).get("Service", {}).get("ExecStart", [])
    if not lines:
        return ""
    bare = lines[0].lstrip(unit_words.PREFIXES)
    words = unit_words.split(unit_words.specifiers(bare, name))
    ignored = "yes" if "-" in lines[0][: len(lines[0]) - len(bare)] else "no"
    times = "start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0"
    return f"{{ path={words[0]} ; argv[]={' '.join(words)} ; ignore_errors={ignored} ; {times} }}"


def _loaded(facts: dict[str, str], name: str, unit: units.Unit) -> None:
    import unit_jobs

    facts.update(LoadState=str(unit.get("load", "loaded")), UnitFileState=units.enabled(name, unit))
    facts.update(UnitFilePreset="enabled", CanStart="yes", CanStop="yes")
    facts["Description"] = units.setting(unit, "Unit", "Description", str(unit.get("description", name)))
    facts["FragmentPath"] = units.file_of(name) or f"/lib/systemd/system/{name}"
    facts["DropInPaths"] = " ".join(units.drop_ins(name))
    facts["NeedDaemonReload"] = "yes" if units.stale(name, unit) else "no"
    facts["CanReload"] = "yes" if unit_jobs.reloadable(name, unit) else "no"
    if name.endswith(".service"):
        facts.update(Result=str(unit.get("result", "success")), ExecMainStatus=str(unit.get("status", 0)))
        facts["Type"] = units.setting(
            unit, "Service", "Type", "notify" if not units.file_of(name) else "simple"
        )
        facts["Restart"] = units.setting(unit, "Service", "Restart", "no")
        facts["NRestarts"] = str(unit.get("restarts", 0))
        facts["ExecStart"] = _command(name, unit)
        facts["MemoryMax"] = units.setting(unit, "Service", "MemoryMax", "infinity")
        running = unit.get("sub") == "running"
        facts["MainPID"] = facts["ExecMainPID"] = str(1000 + sum(map(ord, name)) % 30000) if running else "0"


def show(names: list[str], options: dict[str, list[str]]) -> int:
    if runtime.in_guest():
        unit_programs.settle(names)
    state = model.read()
    asked = options.get("-p", []) + options.get("--property", [])
    wanted = {key for value in asked for key in value.split(",")}
    for number, name in enumerate(names):
        if number:
            print()
        for key, value in properties(state, name).items():
            if (not asked or key in wanted) and (value or key != "ExecStart"):
                print(value if "--value" in options else f"{key}={value}")
    return 0


def system() -> int:
    parts = model.section(model.read(), "units").values()
    failed = any(unit.get("active") == "failed" for unit in parts)
    print("degraded" if failed else "running")
    return int(failed)


def table(verb: str, names: list[str], options: dict[str, list[str]]) -> int:
    """list-units and list-unit-files, without colours and with the columns as wide as needed."""
    import fnmatch
    import os

    state = model.read()
    folder = model.path(units.FOLDER)
    on_disk = [n for n in (os.listdir(folder) if os.path.isdir(folder) else []) if n.endswith(units.SUFFIXES)]
    known = sorted({units.full_name(name) for name in [*model.section(state, "units"), *on_disk]})
    kinds = options.get("-t", []) + options.get("--type", [])
    patterns = [units.full_name(name) if "*" not in name else name for name in names]
    rows = []
    for name in known:
        if patterns and not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            continue
        if kinds and name.rpartition(".")[2] not in ",".join(kinds).split(","):
            continue
        facts = properties(state, name)
        if verb == "list-unit-files":
            rows.append([name, facts["UnitFileState"], facts["UnitFilePreset"] or "enabled"])
        elif _listed(facts, options):
            rows.append(
                [name, facts["LoadState"], facts["ActiveState"], facts["SubState"], facts["Description"]]
            )
    head = (
        ["UNIT FILE", "STATE", "PRESET"]
        if verb == "list-unit-files"
        else ["UNIT", "LOAD", "ACTIVE", "SUB", "DESCRIPTION"]
    )
    plain = "--no-legend" in options
    _columns(rows if plain else [head, *rows])
    if not plain:
        print(f"\n{len(rows)} {'unit files' if verb == 'list-unit-files' else 'loaded units'} listed.")
    return 0 if rows or verb == "list-units" else 1


def _listed(facts: dict[str, str], options: dict[str, list[str]]) -> bool:
    states = ",".join(options.get("--state", [])).split(",") if "--state" in options else []
    states += ["failed"] if "--failed" in options else []
    if states:
        return bool({facts["LoadState"], facts["ActiveState"], facts["SubState"]} & set(states))
    return facts["ActiveState"] != "inactive" or bool({"-a", "--all"} & options.keys())


def _columns(rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(" ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
