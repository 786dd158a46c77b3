"""The site's age-encrypted file: JSON from name to value, in age's text armour so that git sees text.

Plaintext exists in memory only. The file is replaced as a whole, under a lock on its folder: a cut
leaves the old file, and two writers do not lose each other's secrets.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import SecretError
from . import contents

LOCK_SECONDS = 5.0
INIT_HINT = "make one with `phoenix secrets init`, or name yours in PHOENIX_AGE_IDENTITY"
_NO_KEY_FITS = "No matching keys found"  # the age library has one exception for every failure


class AgeFile:
    """One encrypted file, the identity that opens it, and the public keys it is written for."""

    def __init__(self, path: Path, identity: Path, recipients: tuple[str, ...] = ()) -> None:
        self.path = path
        self.identity = identity
        self._recipients = recipients

    def read(self) -> dict[str, str]:
        """Decrypt the file; one that does not exist yet holds nothing."""
        import pyrage  # most runs need no secret

        try:
            sealed = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise SecretError(f"cannot read {self.path}: {error.strerror}") from error
        try:
            plain = pyrage.decrypt(sealed, self.identities())
        except pyrage.DecryptError as error:
            raise self._cannot_open(str(error)) from None
        values, wrong = contents.parse(plain)
        if wrong:
            raise SecretError(f"{self.path} opened, but what is inside is not ours: {wrong}")
        return values

    def change(self, edit: Callable[[dict[str, str]], dict[str, str]], *, always: bool = False) -> bool:
        """Let `edit` make a new mapping from the present one, and write it; tells whether it wrote.

        Nothing is written when the mapping stays as it is, unless `always`.
        """
        with locked(self.path):
            before = self.read()
            after = edit(dict(before))
            if after == before and not always:
                return False
            self._write(after)
            return True

    def identities(self) -> list[Any]:
        """Return the private keys of the identity file. Raises SecretError when there is none."""
        import pyrage

        try:
            text = self.identity.read_text(errors="replace")
            mode = self.identity.stat().st_mode
        except FileNotFoundError:
            raise SecretError(f"there is no age identity at {self.identity}", hint=INIT_HINT) from None
        except OSError as error:
            raise SecretError(f"cannot read {self.identity}: {error.strerror}") from error
        if mode & 0o007:
            raise SecretError(
                f"every user of this machine can get at the identity {self.identity}",
                hint=f"chmod 600 {self.identity}; if others could read it, make a new one and rotate",
            )
        keys = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        try:
            found = [pyrage.x25519.Identity.from_str(key) for key in keys]
        except pyrage.IdentityError:
            found = []
        if not found:
            raise SecretError(
                f"{self.identity} is not an age identity: no line AGE-SECRET-KEY-1…", hint=INIT_HINT
            )
        return found

    def public_keys(self) -> list[str]:
        """Return the public keys of our own identity."""
        return [str(identity.to_public()) for identity in self.identities()]

    def _cannot_open(self, reason: str) -> SecretError:
        if reason == _NO_KEY_FITS:
            return SecretError(
                f"the identity {self.identity} does not open {self.path}",
                hint="ask somebody who can read the file to add your public key to `secrets.recipients` in "
                "configs/site.yaml and to run `phoenix secrets rekey`; `phoenix secrets init` shows the key",
            )
        return SecretError(
            f"{self.path} is damaged, or no age file: {reason.splitlines()[0]}",
            hint=f"take the last good one: git log -- {self.path}",
        )

    def _write(self, values: dict[str, str]) -> None:
        import pyrage

        readers = [identity.to_public() for identity in self.identities()]
        for key in self._recipients:
            try:
                readers.append(pyrage.x25519.Recipient.from_str(key))
            except pyrage.RecipientError:
                raise SecretError(
                    f"`{key}` is not an age public key",
                    hint="correct `secrets.recipients` in configs/site.yaml",
                ) from None
        try:
            replace(self.path, pyrage.encrypt(contents.dump(values), readers, armored=True))
        except OSError as error:
            raise SecretError(f"cannot write {self.path}: {error.strerror}") from error


def make_identity(path: Path) -> None:
    """Draw a new identity into a file of mode 0600. Raises SecretError when the file is there already."""
    import pyrage

    drawn = pyrage.x25519.Identity.generate()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w") as file:
            file.write(f"# public key: {drawn.to_public()}\n{drawn}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise SecretError(f"cannot write {path}: {error.strerror}") from error


def replace(path: Path, sealed: bytes) -> None:
    """Replace a file as a whole, mode 0600. The caller holds the lock, so the new file's name is free."""
    path = path.resolve()  # a link stays a link
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(sealed)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself must survive a power cut
    finally:
        os.close(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock for changing `path`: on its folder, because the file itself is replaced."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise SecretError(f"cannot write {path}: {error.strerror}") from error
    try:
        _lock(folder, path)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, path: Path) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SecretError(
                    f"somebody else is changing {path}", hint="is a `phoenix secrets edit` still open?"
                ) from None
            time.sleep(0.05)
        else:
            return
