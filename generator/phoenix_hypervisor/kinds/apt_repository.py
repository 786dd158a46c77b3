"""Package repositories."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ..dialects import deb822, openpgp
from ..fields import AbsolutePath
from ..resource import Artifact, Change, Kind, Refusal, Samples, Step, Want, made, run, script

FOLDER = "/etc/apt/sources.list.d"
ACCEPTED = """\
umask 022; parts=$(mktemp -d); trap 'rm -f "$parts"/*; rmdir "$parts"' EXIT
cp "$candidate" "$parts/phoenix.sources"
end=$(($(date +%s) + 120))
until said=$(LC_ALL=C apt-get update -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$parts" \
    -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any 2>&1 </dev/null); do
    case $said in *"Could not get lock"*) [ "$(date +%s)" -ge "$end" ] || { sleep 1; continue; } ;; esac
    printf '%s\\n' "$said" | grep '^E:' >&2; exit 1
done"""
"""APT must be able to read the repository before its file takes its place: `apt-get update`, of it alone.

It waits two minutes for somebody else's `apt-get update`; APT's message names who that is.
"""


def _word(text: str) -> str:
    if not text or any(char in text for char in " \t\n#[]"):
        raise ValueError("must be one word, without `#`, `[` and `]`")
    return text


def _sources(path: str) -> str:
    if not path.endswith((".list", ".sources")) or not path.startswith("/etc/apt/sources.list"):
        raise ValueError(f"must be a `.list` or `.sources` file in {FOLDER}, or /etc/apt/sources.list")
    if path.startswith(f"{FOLDER}/phoenix-"):
        raise ValueError("is a file of ours: declare that repository with `enabled: false`")
    return path


Word = Annotated[str, AfterValidator(_word)]
Uri = Annotated[str, Field(pattern=r"^(https?|file)://[!-~]+$"), AfterValidator(_word)]


class SignedBy(BaseModel):
    """Whose signature a repository must have: a keyring on the host, or a key that is written here."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    keyring: AbsolutePath | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Of the keyring: with another digest it is not trusted."""
    key: str | None = None
    """An ASCII-armoured public key."""
    fingerprint: str | None = None
    """Of the key: what its owner publishes, to be compared by people; blanks do not count."""

    @model_validator(mode="after")
    def _one_of_them(self) -> "SignedBy":
        if (self.keyring is None) == (self.key is None):
            raise ValueError("needs one of `keyring` and `key`")
        if (self.sha256 and self.key) or (self.fingerprint and self.keyring):
            raise ValueError("`sha256` belongs to a `keyring`, `fingerprint` to a `key`")
        if self.key is not None:
            found = openpgp.fingerprint(self.key)
            if self.fingerprint and "".join(self.fingerprint.split()).upper() != found:
                raise ValueError(f"the key's fingerprint is {found}")
        return self

    @property
    def value(self) -> str:
        """What the field `Signed-By` holds: a path, or the key on lines of its own."""
        return self.keyring or "\n" + (self.key or "").strip()


class AptRepository(Kind):
    """A repository of packages: in a file of ours, or in somebody else's file and switched off.

    With `uris` it is a deb822 file `phoenix-NAME.sources`. Before the file takes its place, APT reads the
    repository by it: one that is not reachable or not signed by the declared key changes nothing on the
    host. With `file` and `enabled: false`, the repositories in a file of somebody else's are switched off
    by the smallest edit that Proxmox's own tools make as well; the file as it was is put back when the
    declaration goes. All other files are left alone; where one of them names the same suite of the same
    repository, that is reported and nothing is done.
    """

    scope = "host"

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    uris: tuple[Uri, ...] = ()
    suites: tuple[Word, ...] = ()
    components: tuple[Word, ...] = ()
    architectures: tuple[Word, ...] = ()
    signed_by: SignedBy | None = None
    enabled: bool = True
    file: Annotated[AbsolutePath, AfterValidator(_sources)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _keyring_alone(cls, data: Any) -> Any:
        """`signed_by: /path` is short for a keyring."""
        if isinstance(data, dict) and isinstance(data.get("signed_by"), str):
            return {**data, "signed_by": {"keyring": data["signed_by"]}}
        return data

    @model_validator(mode="after")
    def _ours_or_theirs(self) -> "AptRepository":
        own = bool(self.uris or self.suites or self.components or self.architectures or self.signed_by)
        if own == (self.file is not None):
            raise ValueError("needs either `uris` and `suites`, or the `file` of somebody else's")
        if self.file is not None and self.enabled:
            raise ValueError("a `file` of somebody else's is only switched off: `enabled: false`")
        if own and not (self.uris and self.suites):
            raise ValueError("needs `uris` and `suites`")
        if own and not self.components and not all(suite.endswith("/") for suite in self.suites):
            raise ValueError("needs `components`, unless each suite is a path that ends with `/`")
        return self

    @property
    def path(self) -> str:
        """Our file for it."""
        return path_of(self.name)

    @property
    def fields(self) -> dict[str, str]:
        """The stanza of our file."""
        listed = {"URIs": self.uris, "Suites": self.suites, "Components": self.components}
        listed["Architectures"] = self.architectures
        return {
            "Enabled": "yes" if self.enabled else "no",
            "Types": "deb",
            **{name: " ".join(words) for name, words in listed.items()},
            "Signed-By": self.signed_by.value if self.signed_by else "",
        }

    @property
    def stanza(self) -> str:
        """The same as text."""
        return deb822.write(self.fields.items())

    def consumes(self) -> Iterable[Want]:
        if self.signed_by and self.signed_by.keyring:
            yield Want("file", self.signed_by.keyring, "signed_by", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        if self.file is None:
            yield Artifact(self.path, "repository.sources.j2")
        yield script(self.kind, "switch-off", "switch_off.sh.j2")
        yield script(self.kind, "put-back", "put_back.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        refusals = list(self._refused(change))
        yield from refusals
        if refusals:
            return
        if "file" in change:
            yield put_back(self.name)
        if self.file is not None:
            if change.creates or "file" in change or "enabled" in change:
                *_, off, _ = self.artifacts()
                yield Step(
                    f"switch off the repositories in {self.file}",
                    execute=off,
                    arguments=(self.file, made(self.kind, self.name), kept_of(self.name)),
                )
            if "ours" in change:
                yield run("rm", "-f", self.path)
        elif set(change.attributes) - {"file"}:
            conf, *_ = self.artifacts()
            yield Step(f"apt-get update for it alone, then write {conf.path}", push=conf, check=ACCEPTED)

    @staticmethod
    def _refused(change: Change) -> Iterator[Refusal]:
        if "keyring" in change:
            found = change["keyring"].actual
            yield Refusal("keyring", f"the keyring is {found}: install the one that is declared first")
        if "foreign" in change:
            said = change["foreign"].actual
            todo = "take it out there, or switch that off with `file` and `enabled: false`"
            yield Refusal("foreign", f"somebody else's file names it already: {said}: {todo}")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield run("rm", "-f", path_of(name))
        yield put_back(name)

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        keyring, other = "/etc/apt/keyrings/sample.asc", "/etc/apt/keyrings/other.asc"
        yield Samples(
            "sample",
            {
                "uris": ["https://packages.example.org/debian"],
                "suites": ["trixie"],
                "components": ["main"],
                "architectures": ["amd64"],
                "signed_by": {"keyring": keyring, "sha256": SAMPLE_SHA256},
                "enabled": True,
            },
            {
                "uris": ["https://mirror.example.org/debian"],
                "suites": ["trixie", "trixie-updates"],
                "components": ["main", "contrib"],
                "architectures": ["amd64", "i386"],
                "signed_by": {"keyring": other},
                "enabled": False,
            },
            {"host_file": {path: {"content": SAMPLE_KEY} for path in (keyring, other)}},
        )
        flat = {"uris": ["https://packages.example.org/stable"], "suites": ["deb/"]}
        key = {"key": SAMPLE_KEY, "fingerprint": SAMPLE_FINGERPRINT}
        yield Samples(
            "flat",
            {**flat, "signed_by": key},
            {**flat, "uris": ["https://packages.example.org/testing"]},
        )
        enterprise = {"file": f"{FOLDER}/pve-enterprise.sources", "enabled": False}
        yield Samples("enterprise", enterprise, {**enterprise, "file": f"{FOLDER}/ceph.sources"})


def path_of(name: str) -> str:
    """Return the path of our file for a repository."""
    return f"{FOLDER}/phoenix-{name}.sources"


def kept_of(name: str) -> str:
    """Return where somebody else's file is kept as it was before repositories in it were switched off."""
    return f"/var/lib/phoenix/kept/apt_repository/{name}"


def put_back(name: str) -> Step:
    """Return the step that puts back what was switched off under this name, if anything was."""
    return Step(
        f"put back what was switched off for {name}, if anything",
        execute=script("apt_repository", "put-back", "put_back.sh.j2"),
        arguments=(made("apt_repository", name), kept_of(name)),
    )


SAMPLE_FINGERPRINT = "421B 0AA1 7CF5 6E9E 28DB  562A C51D AF24 2B57 0C1F"
SAMPLE_KEY = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawLrGhYJKwYBBAHaRw8BAQdA3d+08ar9MVadySs2M2KkRm102/ZGdgdloeBF
iMnF1/60BnNhbXBsZYiQBBMWCAA4FiEEQhsKoXz1bp4o21YqxR2vJCtXDB8FAmsC
6xoCGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQxR2vJCtXDB/5IgEA3vqb
cOhSkZ6drE3xD0qo0ej/yNgHLtYNWMFAa3Wh3ewBAPl09LN4G3a5FFnjmCrILQp7
mhVs3UOfYaZxquWj7uIJ
=sIqc
-----END PGP PUBLIC KEY BLOCK-----
"""
"""A key that signs nothing."""
SAMPLE_SHA256 = "2658769354d73b7cd693601c3bbad41ecd297610a74ccee7dcdc01fd87729879"
