"""What the files of APT's sources name, and the lists that an update makes of it: /var/lib/apt/lists."""

import os
import re

import apt_offers
import dpkg_status
import model
import runtime

LISTS = "/var/lib/apt/lists"
FOLDER = "/etc/apt/sources.list.d"
KEYRINGS = "/usr/share/keyrings"
_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)")


class RefusedError(Exception):
    """A file that APT cannot read, or two that contradict each other."""


class Source:
    """One suite of one repository that is enabled."""

    def __init__(self, uri: str, suite: str, components: list[str], signed_by: str) -> None:
        self.uri, self.suite = uri.rstrip("/") + "/", suite
        self.components, self.signed_by = components, signed_by

    @property
    def host(self) -> str:
        """The server's name; empty for a folder."""
        return self.uri.split("/")[2] if "://" in self.uri else ""

    def trouble(self) -> tuple[str, bool] | None:
        """Why it cannot be read, if so, and whether that is for good (a signature) or may pass."""
        host = self.host
        if runtime.offline():
            return f"Temporary failure resolving '{host}'", False
        if host.endswith(".invalid"):
            return f"Could not resolve '{host}'", False
        if host in apt_offers.SUBSCRIPTION:
            return "401  Unauthorized [IP: 192.0.2.10 443]", True
        key = self.signed_by
        if key.startswith("/") and not os.path.exists(model.path(key)) and not _packaged(key):
            missing = (
                "couldn't be verified because the public key is not available: NO_PUBKEY 0000000000000000"
            )
            return f"The following signatures {missing}", True
        return None

    def files(self) -> dict[str, str]:
        """Its lists: file name → component."""
        stem = re.sub(r"[^A-Za-z0-9.-]", "_", f"{self.uri.partition('://')[2]}dists/{self.suite}")
        return {
            f"{stem}_{component}_binary-amd64_Packages": component for component in self.components or ["."]
        }


def _packaged(key: str) -> bool:
    """Whether a keyring comes with a package that is there: /usr is the machine's, so it holds none."""
    folder, _, name = key.rpartition("/")
    package = name.removesuffix(".gpg")
    return folder == KEYRINGS and dpkg_status.state(dpkg_status.read().get(package)) == "installed"


def enabled(main: str = "/etc/apt/sources.list", folder: str = FOLDER) -> list[Source]:
    """Read all files. Raises RefusedError as APT does for what it does not understand."""
    found: list[Source] = []
    names = sorted(os.listdir(model.path(folder))) if os.path.isdir(model.path(folder)) else []
    for path in [main, *(f"{folder}/{name}" for name in names)]:
        place = model.path(path) if path != os.devnull else path
        if path.endswith((".list", ".sources")) and os.path.isfile(place):
            with open(place, encoding="utf-8") as file:
                text = file.read()
            found += _stanzas(path, text) if path.endswith(".sources") else _lines(path, text)
    _agree(found)
    return found


def _agree(sources: list[Source]) -> None:
    keys: dict[tuple[str, str], str] = {}
    for source in sources:
        known = keys.setdefault((source.uri, source.suite), source.signed_by)
        if known != source.signed_by:
            raise RefusedError(
                "E: Conflicting values set for option Signed-By regarding source "
                f"{source.uri} {source.suite}: {known} != {source.signed_by}\n"
                "E: The list of sources could not be read."
            )


def _lines(path: str, text: str) -> list[Source]:
    found = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        entry = _LINE.fullmatch(line)
        if not line or line.startswith("deb-src"):
            continue
        if not entry:
            raise RefusedError(
                f"E: Malformed entry {number} in list file {path} (Type)\n"
                "E: The list of sources could not be read."
            )
        options = dict(word.partition("=")[::2] for word in (entry["options"] or "").split())
        found.append(
            Source(entry["uri"], entry["suite"], entry["rest"].split(), options.get("signed-by", ""))
        )
    return found


def _stanzas(path: str, text: str) -> list[Source]:
    found = []
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for number, stanza in enumerate((part for part in re.split(r"\n\s*\n", body) if part.strip()), 1):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.strip("\n").splitlines():
            if line[0] in " \t":
                fields[name] += "\n" + line.strip()
            else:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        for wanted, said in (("types", "type"), ("uris", "URI"), ("suites", "Suite")):
            if not fields.get(wanted):
                raise RefusedError(
                    f"E: Malformed stanza {number} in source list {path} ({said})\n"
                    "E: The list of sources could not be read."
                )
        if fields.get("enabled", "yes").lower() in ("no", "false", "off", "0"):
            continue
        found += [
            Source(uri, suite, fields.get("components", "").split(), fields.get("signed-by", ""))
            for uri in fields["uris"].split()
            for suite in fields["suites"].split()
        ]
    return found


def write(source: Source) -> None:
    """Make the lists of one source: what the lab's copy of that repository offers."""
    os.makedirs(model.path(LISTS), exist_ok=True)
    for name, component in source.files().items():
        rows = apt_offers.offers(source.uri, source.suite, component)
        text = "".join(
            f"Package: {row.name}\nVersion: {row.version}\n"
            + (f"Depends: {row.depends}\n" if row.depends else "")
            + "\n"
            for row in rows
        )
        with open(model.path(f"{LISTS}/{name}"), "w", encoding="utf-8") as file:
            file.write(text)


def tidy(sources: list[Source]) -> None:
    """Remove lists of what is no longer a source."""
    kept = {name for source in sources for name in source.files()}
    for name in os.listdir(model.path(LISTS)) if os.path.isdir(model.path(LISTS)) else []:
        if name.endswith("_Packages") and name not in kept:
            os.unlink(model.path(f"{LISTS}/{name}"))


def offered(sources: list[Source]) -> dict[str, dict[str, str]]:
    """Return what the lists offer: package → version → what it depends on; the newest version is the last."""
    found: dict[str, dict[str, str]] = {}
    for name in (name for source in sources for name in source.files()):
        try:
            with open(model.path(f"{LISTS}/{name}"), encoding="utf-8") as file:
                parts = file.read().split("\n\n")
        except FileNotFoundError:
            continue
        for part in filter(None, parts):
            row = dict(line.split(": ", 1) for line in part.splitlines())
            found.setdefault(row["Package"], {})[row["Version"]] = row.get("Depends", "")
    return found
