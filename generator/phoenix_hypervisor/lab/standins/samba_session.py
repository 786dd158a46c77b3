"""A client's session with the lab's smbd: who it is, which share it may use, and what it may do there."""

import os

import accounts
import model
import samba_accounts
import units
from samba_daemon import current
from samba_parameters import split, yes


class Denied(Exception):  # noqa: N818
    """smbd says no; the text is what smbclient prints."""


class Session:
    """A user who logged in (`nobody` for a guest) at the daemon's own configuration."""

    def __init__(self, state: model.Model, address: str) -> None:
        self.state = state
        self.address = address
        self.config = current(state)
        self.user = "nobody"
        self.guest = True

    def log_in(self, user: str, password: str) -> None:
        """Check a password as smbd does. An empty user is an anonymous session."""
        if not user:
            return
        record = samba_accounts.users(self.state).get(user)
        if record is None or accounts.user(user) is None:
            if self.config.setting("map to guest") in ("Bad User", "Bad Password"):
                return
            raise Denied("session setup failed: NT_STATUS_LOGON_FAILURE")
        if record["nt"] != samba_accounts.nt_hash(password):
            if self.config.setting("map to guest") == "Bad Password":
                return
            raise Denied("session setup failed: NT_STATUS_LOGON_FAILURE")
        if "D" in record["flags"]:
            raise Denied("session setup failed: NT_STATUS_ACCOUNT_DISABLED")
        self.user, self.guest = user, False

    def connect(self, name: str) -> "Share":
        """Open a share."""
        values = self.config.share(name)
        if values is None or not yes(self.config.value(values, "available")):
            raise Denied("tree connect failed: NT_STATUS_BAD_NETWORK_NAME")
        share = Share(self, values)
        if not (self._address_fits(share) and self._user_fits(share)):
            raise Denied("tree connect failed: NT_STATUS_ACCESS_DENIED")
        if not os.path.isdir(share.root):
            raise Denied("tree connect failed: NT_STATUS_BAD_NETWORK_NAME")
        return share

    def _user_fits(self, share: "Share") -> bool:
        if self.guest and not share.on("guest ok"):
            return False
        if self.named(share.get("invalid users")):
            return False
        valid = share.get("valid users")
        return not valid or self.named(valid)

    def _address_fits(self, share: "Share") -> bool:
        allow, deny = split(share.get("hosts allow")), split(share.get("hosts deny"))
        if allow and matches(self.address, allow):
            return True
        if deny and matches(self.address, deny):
            return False
        # The loopback address is let in unless it is denied by name.
        return not allow or bool(deny) or self.address.startswith("127.")

    def named(self, text: str) -> bool:
        """Say whether a list of users and groups (`@group`, `+group`) names this session's user."""
        for word in split(text):
            if word[0] in "@+&":
                row = accounts.group(word.lstrip("@+&"))
                if row and int(row[2]) in accounts.groups_of(self.user):
                    return True
            elif word.lower() == self.user.lower():
                return True
        return False

    def listing(self) -> list[tuple[str, str, str]]:
        """Return name, sort and comment of every share that shows in a browse list."""
        rows = []
        for name, values in self.config.shares.items():
            share = Share(self, values)
            if (
                share.on("available")
                and share.on("browseable")
                and name.lower() not in ("homes", "printers", "ipc$")
            ):
                rows.append((name, "Printer" if share.on("printable") else "Disk", share.get("comment")))
        return [*rows, ("IPC$", "IPC", f"IPC Service ({self.config.setting('server string')})")]


class Share:
    """A share as one session sees it."""

    def __init__(self, session: Session, values: dict[str, str]) -> None:
        self.session = session
        self.values = values
        self.root = (
            model.path(self.get("path").strip('"')).replace("%U", session.user).replace("%u", session.user)
        )

    def get(self, name: str) -> str:
        return self.session.config.value(self.values, name)

    def on(self, name: str) -> bool:
        return yes(self.get(name))

    @property
    def unix_user(self) -> str:
        """Who touches files here."""
        if self.session.named(self.get("admin users")):
            return "root"
        return self.get("force user") or self.session.user

    def writable(self) -> bool:
        """Say whether the share itself lets this user write (the files' modes may still not)."""
        if self.session.named(self.get("write list")):
            return True
        return not self.on("read only") and not self.session.named(self.get("read list"))

    def allows(self, path: str, bits: int) -> bool:
        """Say whether both the share and the file system allow this (4 read, 2 write, 1 enter)."""
        if bits & 2 and not self.writable():
            return False
        return accounts.allowed(model.section(self.session.state, "owners"), path, self.unix_user, bits)


def matches(address: str, patterns: list[str]) -> bool:
    """Compare an address with `10.0.0.`, `10.0.0.0/24`, `10.0.0.1`, `ALL`, up to an `EXCEPT`."""
    import ipaddress

    for number, pattern in enumerate(patterns):
        if pattern == "EXCEPT":
            return False
        if pattern == "ALL" or pattern == address or (pattern.endswith(".") and address.startswith(pattern)):
            hit = True
        else:
            try:
                hit = ipaddress.ip_address(address) in ipaddress.ip_network(pattern, strict=False)
            except ValueError:
                hit = pattern == "localhost" and address == "127.0.0.1"
        if hit:
            rest = patterns[number + 1 :]
            return not ("EXCEPT" in rest and matches(address, rest[rest.index("EXCEPT") + 1 :]))
    return False


def running(state: model.Model) -> bool:
    return units.active(state, "smbd")
