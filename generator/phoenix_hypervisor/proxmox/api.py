"""Questions to Proxmox's API, and what it means when one is not answered."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any, Self

from ..errors import HostError
from .endpoint import Endpoint
from .session import Serializer, Session

AUDITS = ("VM.Audit", "Datastore.Audit", "Sys.Audit")
"""What a token must be allowed at `/` to see everything that is read here; the role PVEAuditor has them."""

logging.getLogger("proxmoxer").addHandler(logging.NullHandler())


class NotAllowedError(Exception):
    """The token may not see this; the text is Proxmox's own."""


class Api:
    """An API that is read. Use it in a `with`, which closes the connection.

    Rows without what they must have raise HostError where the `with` ends.
    """

    def __init__(self, to: Endpoint) -> None:
        from proxmoxer.core import ProxmoxResource

        self.to = to
        self._session = Session(to)
        self._root = ProxmoxResource(
            base_url=f"{to.url}/api2/json", session=self._session, serializer=Serializer()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()
        if isinstance(error, (KeyError, TypeError, ValueError)):
            said = f"it does not answer as Proxmox's API does ({type(error).__name__}: {error})"
            raise HostError(f"{self.to.url}: {said}") from error

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the data at a path like `nodes/pve1/lxc`. Raises NotAllowedError, HostError."""
        from proxmoxer.core import ResourceException

        try:
            return self._root(path).get(**parameters)
        except ResourceException as error:
            said = str(error.content or error.status_message).strip()
            if error.status_code == 403:
                raise NotAllowedError(said) from None
            if error.status_code == 401:
                raise HostError(
                    f"{self.to.url}: the token {self.to.token_id} is not accepted: {said}",
                    hint="`pveum user token list USER` shows which there are; its value was shown once",
                ) from None
            raise HostError(f"{self.to.url}: {path}: {error.status_code} {said}") from None
        except ValueError as error:
            raise HostError(f"{self.to.url}: {path}: {error}") from None

    def rows(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return a list of rows. Raises NotAllowedError, HostError for anything else."""
        found = self.get(path, **parameters)
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise HostError(f"{self.to.url}: {path}: it does not answer as Proxmox's API does")
        return found

    def settings(self, path: str, **parameters: Any) -> dict[str, Any]:
        """Return a mapping. Raises NotAllowedError, HostError for anything else."""
        found = self.get(path, **parameters)
        if not isinstance(found, dict):
            raise HostError(f"{self.to.url}: {path}: it does not answer as Proxmox's API does")
        return found

    def lacking(self) -> list[str]:
        """Return the privileges that the token lacks at `/`: what it may not see is not even counted."""
        held = self.settings("access/permissions").get("/", {})
        return [privilege for privilege in AUDITS if not held.get(privilege)]  # 0: not below it
