"""Samba shares."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from ..dialects import samba
from ..fields import AbsolutePath, Account, Mode, RuleError
from ..firewall.ports import PORT, Port
from ..firewall.words import is_network
from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want, reload, run, script
from ..secrets import Secret

FOLDER = "/etc/samba/phoenix.d"
CHECK = (
    'said=$(testparm -s --suppress-prompt "$candidate" 2>&1 >/dev/null) || { echo "$said" >&2; exit 1; }; '
    'case $said in *"nknown parameter"*) echo "$said" >&2; exit 1;; esac'
)
"""testparm exits 0 for an unknown parameter and only says so (Samba 4.17)."""
SHOWN = {
    "read_only": "read only",
    "browseable": "browseable",
    "guest_ok": "guest ok",
    "create_mask": "create mask",
    "directory_mask": "directory mask",
    "force_user": "force user",
    "force_group": "force group",
    "comment": "comment",
}
Word = Annotated[str, Field(pattern=r"^@?[A-Za-z0-9_][A-Za-z0-9_.$-]*$")]
ALLOW = ("hosts allow", "allow hosts")
"""Two names of one parameter (smb.conf(5))."""
SPECIAL = frozenset({"global", "homes", "printers"})
"""Sections of smb.conf that are not shares."""


def _no_section(name: str) -> str:
    if name.lower() in SPECIAL:
        raise ValueError(f"`{name}` is a section of smb.conf with a meaning of its own")
    return name


def _no_field(name: str) -> str:
    if samba.parameter(name) in {*SHOWN.values(), "path", "valid users", *samba.OPPOSITES}:
        raise RuleError("V-38", f"`{name}` has a field of its own here")
    if samba.parameter(name) in ("include", "copy", "config file"):
        raise ValueError(f"`{name}` would read further files")
    return name


Parameter = Annotated[str, Field(pattern=r"^[a-z][a-z0-9 :_-]*$"), AfterValidator(_no_field)]
Line = Annotated[str, Field(pattern=r"^[^\r\n\\]*$", max_length=500)]


class SambaShare(Kind):
    """A share of the Samba server, in a file of its own that the server's smb.conf includes.

    The file is tested with `testparm` before it takes its place, and the server reads it again without
    being restarted. Our only line in smb.conf is the `include` at its end; everything else there is
    left alone. A share of the same name that somebody else wrote there is reported, not overwritten.
    Further parameters of smb.conf(5) go into `options`. Owner and mode of the directory are the
    dataset's matter.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._$-]{0,79}$"), AfterValidator(_no_section)]
    path: AbsolutePath
    valid_users: tuple[Word, ...] = ()
    read_only: bool = True
    browseable: bool = True
    guest_ok: bool = False
    create_mask: Mode | None = None
    directory_mask: Mode | None = None
    force_user: Account | None = None
    force_group: Account | None = None
    comment: Line | None = None
    options: dict[Parameter, Line] = Field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, str]:
        """The declared parameters in testparm's canonical spelling."""
        found = {"path": self.path, "valid users": " ".join(self.valid_users)}
        for field, parameter in SHOWN.items():
            value = getattr(self, field)
            if value is not None:
                found[parameter] = str(value) if not isinstance(value, bool) else "yes" if value else "no"
        for name, text in self.options.items():
            found[samba.parameter(name)] = text
        return {name: samba.canonical(name, str(text)) for name, text in found.items()}

    @property
    def written(self) -> dict[str, str]:
        """The same for the file: `options` as they are declared, where `1` may be a number."""
        return {**self.parameters, **{samba.parameter(name): text for name, text in self.options.items()}}

    @property
    def further(self) -> dict[str, str]:
        """Those of them that have no field here, from `options`."""
        names = {samba.parameter(name) for name in self.options}
        return {name: value for name, value in self.parameters.items() if name in names}

    @property
    def file(self) -> str:
        """Our file for it."""
        return f"{FOLDER}/{self.name}.conf"

    def needs(self) -> Iterable[str]:
        yield from (f"samba_user:{user}" for user in self.valid_users if not user.startswith("@"))

    @property
    def clients(self) -> tuple[str, ...] | None:
        """Who may use it by `hosts allow`, where that names addresses and networks only."""
        allowed = next((text for name, text in self.options.items() if samba.parameter(name) in ALLOW), "")
        words = allowed.replace(",", " ").split()
        return tuple(words) if words and all(map(is_network, words)) else None

    def provides(self) -> Iterable[Offer]:
        yield Offer(PORT, "445/tcp", Port("445", "tcp", self.clients))

    def consumes(self) -> Iterable[Want]:
        missing = f"`{self.path}` does not lie under a declared dataset's mountpoint"
        yield Want("path", self.path, "path", missing, "V-28")

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.file, "share.conf.j2")
        yield script(self.kind, "include", "include.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        if "foreign" in change:
            yield Refusal("foreign", f"somebody else's smb.conf defines the share [{self.name}] already")
            return
        conf, include = self.artifacts()
        if set(change.attributes) - {"active", "enabled", "loaded"}:
            yield Step(f"write {conf.path}", push=conf, check=CHECK, pending="smbd")
            yield Step(
                "list our shares in /etc/samba/phoenix.conf, include it in smb.conf",
                execute=include,
                once=True,
            )
        yield reload("smbd")

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (whichever fails, a reload is what may help)
        yield reload("smbd")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield run("rm", "-f", f"{FOLDER}/{name}.conf")
        yield Step(
            "list our shares in /etc/samba/phoenix.conf, include it in smb.conf",
            execute=script("samba_share", "include", "include.sh.j2"),
            once=True,
        )
        yield reload("smbd")

    @classmethod
    def samples(cls) -> Samples:
        around = {
            "zfs_pool": {
                "tank": {"vdevs": [{"type": "mirror", "disks": ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]}]}
            },
            "zfs_dataset": {"tank/one": {}, "tank/two": {}},
            "samba_user": {
                "heads": {"password": Secret("sample/first")},
                "tails": {"password": Secret("sample/first")},
            },
        }
        first = {"path": "/tank/one", "valid_users": ["heads"], "read_only": False, "browseable": True}
        first |= {"create_mask": "0660", "directory_mask": "0770", "force_user": "heads", "comment": "one"}
        second = {
            "path": "/tank/two",
            "valid_users": ["heads", "tails"],
            "read_only": True,
            "browseable": False,
        }
        second |= {"create_mask": "0640", "directory_mask": "0750", "force_user": "tails", "comment": "two"}
        return Samples(
            "media",
            first | {"force_group": "heads", "guest_ok": False, "options": {"vfs objects": "acl_xattr"}},
            second | {"force_group": "tails", "guest_ok": True, "options": {"vfs objects": "streams_xattr"}},
            around,
        )
