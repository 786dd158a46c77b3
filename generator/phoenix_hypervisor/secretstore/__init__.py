"""Where the values of a site's secrets live: an age file in the site, and what `secrets.sources` names.

Nothing is read before the first value is asked for, and then once for the process.
"""

import os
from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import NoReturn

from ..errors import SecretError, did_you_mean
from . import contents, sources
from .age import AgeFile
from .settings import NAME_RULE, SecretSettings, is_name

__all__ = ["SecretSettings", "SiteStore", "open_store"]


def open_store(settings: SecretSettings, site_folder: Path) -> "SiteStore":
    """Return the site's store. Reads nothing yet.

    The variables of `env` sources leave our environment here, so that no process we start inherits them.
    """
    for source in settings.sources.values():
        if source.env is not None:
            sources.take_from_environment(source.env)
    return SiteStore(settings, site_folder)


def identity_path(settings: SecretSettings, site_folder: Path) -> Path:
    """Return the file of our private key: PHOENIX_AGE_IDENTITY, else what the settings say."""
    named = os.environ.get("PHOENIX_AGE_IDENTITY")
    if named:
        return Path(named).expanduser()
    return site_folder / Path(settings.identity).expanduser()


class SiteStore:
    """The secrets of a site, by name. Safe to use from several threads."""

    def __init__(self, settings: SecretSettings, site_folder: Path) -> None:
        path = site_folder / "configs" / Path(settings.file).expanduser()
        self.file = AgeFile(path, identity_path(settings, site_folder), settings.recipients)
        self._sources = settings.sources
        self._site_folder = site_folder
        self._lock = RLock()
        self._kept: dict[str, str] | None = None
        self._fetched: dict[str, bytes] = {}

    def value(self, name: str) -> bytes:
        """Return the secret's bytes. Raises SecretError when there is none, or its place cannot be read."""
        with self._lock:
            if name in self._sources:
                if name not in self._fetched:
                    self._fetched[name] = sources.read(name, self._sources[name], self._site_folder)
                return self._fetched[name]
            kept = self._read()
            if name not in kept:
                raise self._unknown(name)
            return kept[name].encode()

    def has(self, name: str) -> bool:
        """Tell whether there is such a secret. Raises SecretError when the age file cannot be read."""
        with self._lock:
            return name in self._sources or name in self._read()

    def names(self) -> list[str]:
        """Return every known name, sorted: of the age file and of the sources."""
        with self._lock:
            return sorted({*self._read(), *self._sources})

    def place(self, name: str) -> str:
        """Say where a secret lives: `age file`, `env NAME`, `file PATH`, `command ARGV`, or `nowhere`."""
        if name in self._sources:
            return str(self._sources[name])
        return "age file" if name in self._read() else "nowhere"

    def check_writable(self, name: str) -> None:
        """Raise SecretError when `name` cannot be set here, before anybody is asked for a value."""
        if not is_name(name):
            raise SecretError(f"`{name}` is not the name of a secret", hint=NAME_RULE)
        if name in self._sources:
            raise SecretError(
                f"secret `{name}` does not live in {self.file.path}, but in: {self._sources[name]}",
                hint=f"change it there, or take `{name}` out of `secrets.sources` in configs/site.yaml",
            )
        self.file.identities()

    def set(self, name: str, value: bytes) -> bool:
        """Give a secret a value; tells whether that changed anything."""
        self.check_writable(name)
        text = _as_text(name, value)
        return self._change(lambda kept: {**kept, name: text})

    def rotate(self, *names: str, length: int = contents.LENGTH) -> None:
        """Draw new values for secrets: for all of them, or for none when one cannot be rotated."""
        for name in names:
            self.check_writable(name)

        def drawn(kept: dict[str, str]) -> dict[str, str]:
            for name in names:
                if name not in kept:
                    raise self._unknown(name)
                if "\n" in kept[name]:
                    raise SecretError(
                        f"secret `{name}` has several lines, so it is no password to draw anew",
                        hint=f"give it its new value with `phoenix secrets set {name}`",
                    )
            return {**kept, **{name: contents.draw(length) for name in names}}

        self._change(drawn)

    def remove(self, name: str) -> None:
        """Forget a secret. The old file stays in the site's history, so rotate what it opened."""
        if name not in self._read():
            self.check_writable(name)
            raise self._unknown(name)
        self._change(lambda kept: {key: value for key, value in kept.items() if key != name})

    def edit(self, editing: Callable[[dict[str, str]], dict[str, str]]) -> bool:
        """Let a function change the age file's mapping as a whole; tells whether it did."""
        return self._change(editing)

    def rekey(self) -> None:
        """Write the age file again for the recipients that the settings name now."""
        self._change(lambda kept: kept, always=True)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a store of secrets cannot be pickled or copied")

    def _read(self) -> dict[str, str]:
        with self._lock:
            if self._kept is None:
                self._kept = self.file.read()
            return self._kept

    def _change(self, editing: Callable[[dict[str, str]], dict[str, str]], *, always: bool = False) -> bool:
        with self._lock:
            self._kept = None
            return self.file.change(editing, always=always)

    def _unknown(self, name: str) -> SecretError:
        near = did_you_mean(name, {*self._read(), *self._sources})
        hint = f"`phoenix secrets set {name}`"
        return SecretError(f"there is no secret `{name}`", hint=f"{near} Else: {hint}" if near else hint)


def _as_text(name: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text, wrong = "", "it is not UTF-8 text"
    else:
        wrong = contents.wrong_value(text)
    if wrong:
        raise SecretError(f"cannot store that value for secret `{name}`: {wrong}")
    return text
