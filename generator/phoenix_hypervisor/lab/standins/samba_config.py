"""smb.conf as Samba 4.17 loads it, with its surprises.

* What a file included in [global] leaves off in, a share, is where the including file goes on.
* A share named twice is one share; share parameters in [global] are defaults for the shares after them.
* An unknown parameter is a warning, a bad value ends the load.
"""

import os

import model
from hints import Iterator
from samba_parameters import GLOBAL, SHARE, Bad, canonical, deprecated, key, normal, place

DEFAULT_FILE = "/etc/samba/smb.conf"


class Config:
    """A loaded configuration. `globals`, `defaults` (for shares) and `shares` hold what was set."""

    def __init__(self) -> None:
        self.globals: dict[str, str] = {}
        self.defaults: dict[str, str] = {}
        self.shares: dict[str, dict[str, str]] = {}
        self.messages: list[str] = []

    def share(self, name: str) -> dict[str, str] | None:
        return next((values for known, values in self.shares.items() if key(known) == key(name)), None)

    def value(self, share: dict[str, str], name: str) -> str:
        return share.get(name, self.defaults.get(name, SHARE.get(name, "")))

    def setting(self, name: str) -> str:
        return self.globals.get(name, GLOBAL.get(name, ""))


class Failed(Exception):  # noqa: N818
    """The configuration cannot be used; the messages say why."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages


def load(file: str = DEFAULT_FILE) -> Config:
    """Read a configuration with all it includes."""
    config = Config()
    try:
        _Reader(config).read(file, 0)
    except Bad as bad:
        raise Failed([*config.messages, *([str(bad)] if str(bad) else [])]) from bad
    for name, share in config.shares.items():
        special = key(name) in ("homes", "ipc$") or config.value(share, "printable") == "Yes"
        if not config.value(share, "path") and not special and config.value(share, "msdfs proxy") == "":
            config.messages.append(f"WARNING: No path in service {name} - making it unavailable!")
            config.messages.append(f"NOTE: Service {name} is flagged unavailable.")
            share["available"] = "No"
        elif config.value(share, "available") == "No":
            config.messages.append(f"NOTE: Service {name} is flagged unavailable.")
    return config


def lines(text: str) -> Iterator[str]:
    """Yield the logical lines: continued ones joined, comments and empty ones left out."""
    pending = ""
    for typed in text.split("\n"):
        line = pending + typed.strip()
        pending = ""
        if not line or (line[0] in "#;" and not line.endswith("\\")):
            continue
        if line.endswith("\\"):
            pending = line[:-1].rstrip() + " "
        elif line[0] not in "#;":
            yield line
    if pending.strip():
        yield pending.strip() + "\\"


class _Reader:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.current: dict[str, str] | None = None
        """The share that parameters go to; None for [global]."""

    def read(self, file: str, depth: int) -> None:
        if depth > 100:
            raise Bad("Error: Maximum include depth (100) exceeded!")
        try:
            with open(model.path(file), encoding="utf-8", errors="surrogateescape") as stream:
                text = stream.read()
        except OSError as error:
            raise Bad("") from error
        for line in lines(text):
            if line.startswith("["):
                self._section(line)
            else:
                self._parameter(line, depth)

    def _section(self, line: str) -> None:
        name = " ".join(line[1:].partition("]")[0].split())
        if "]" not in line:
            raise Bad("")
        if not name:
            raise Bad("The following message indicates an internal error:\nNo service name in service entry.")
        if key(name) in ("global", "globals"):
            self.current = None
            return
        self.current = self.config.share(name)
        if self.current is None:
            self.current = self.config.shares[name] = dict(self.config.defaults)

    def _parameter(self, line: str, depth: int) -> None:
        typed, equals, value = line.partition("=")
        typed, value = " ".join(typed.split()), " ".join(value.split())
        if not equals:
            # Samba passes over a line that is no assignment.
            return
        if not typed:
            raise Bad("")
        if ":" in typed:
            self._store(typed, value, share=self.current is not None)
            return
        found = canonical(typed)
        if found is None:
            self.config.messages += [
                f'Unknown parameter encountered: "{typed}"',
                f'Ignoring unknown parameter "{typed}"',
            ]
            return
        self._known(typed, found, value, depth)

    def _known(self, typed: str, found: tuple[str, bool], value: str, depth: int) -> None:
        name, inverted = found
        if name in GLOBAL and self.current is not None:
            self.config.messages.append(f"Global parameter {typed} found in service section!")
            return
        if deprecated(name):
            self.config.messages.append(
                f'lpcfg_do_global_parameter: WARNING: The "{typed}" option is deprecated'
            )
        value = normal(typed, name, value)
        if inverted:
            value = "No" if value == "Yes" else "Yes"
        if name == "copy":
            self._copy(value)
        self._store(name, value, share=name in SHARE)
        if name == "include" and os.path.isfile(model.path(value)):
            self.read(value, depth + 1)

    def _copy(self, source: str) -> None:
        share = self.config.share(source)
        if share is None or self.current is None:
            raise Bad(f"Unable to copy service - source not found: {source}")
        self.current.update(share)

    def _store(self, name: str, value: str, share: bool) -> None:
        if self.current is not None:
            self.current[name] = value
        elif share:
            self.config.defaults[name] = value
        else:
            self.config.globals[name] = value


def text_of(config: Config) -> str:
    """Return the canonical text that `testparm -s` prints."""
    parts = ["# Global parameters\n[global]\n"]
    # testparm never shows the log level: it has set its own.
    plain = {name: value for name, value in config.globals.items() if ":" not in name and name != "log level"}
    parts += _rows({name: value for name, value in plain.items() if value != GLOBAL[name]})
    parts += _rows(
        {"idmap config * : backend": "tdb"} | {n: v for n, v in config.globals.items() if ":" in n}
    )
    parts += _rows({name: value for name, value in config.defaults.items() if value != SHARE[name]})
    for name, share in config.shares.items():
        parts.append(f"\n\n[{name}]\n")
        parts += _rows({n: v for n, v in share.items() if v != config.defaults.get(n, SHARE.get(n))})
    return "".join(parts)


def _rows(values: dict[str, str]) -> list[str]:
    """Return parameters in testparm's order: by name, then those of modules, the last one set first."""
    names = sorted((name for name in values if ":" not in name), key=place)
    names += [name for name in reversed(values) if ":" in name]
    return [f"\t{name} = {values[name]}\n" for name in names]
