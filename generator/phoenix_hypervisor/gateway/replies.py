"""What the gateway answers itself when there is nothing to pass on: JSON in the shape of OpenAI's errors.

A backend's own errors are passed on as they are.
"""

from typing import NamedTuple

NOT_FOUND, REFUSED, TOO_LARGE, BUSY, UNAVAILABLE, TIMEOUT = 404, 401, 413, 429, 503, 504
MARK = "X-Gateway-Error"
"""The header that tells an answer of the gateway's own from one of a backend's."""


class Reply(NamedTuple):
    """One answer, and the statuses of nginx's that it takes the place of."""

    name: str
    statuses: tuple[int, ...]
    status: int
    code: str
    message: str
    more: tuple[tuple[str, str], ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        """Header → value, beside those that every answer has."""
        return {MARK: self.code, **dict(self.more)}

    @property
    def body(self) -> str:
        """The answer, with nginx's variables in it. None of them can hold a quotation mark."""
        error = {"message": self.message, "type": "gateway_error", "param": None, "code": self.code}
        fields = ", ".join(
            f'"{name}": ' + ("null" if value is None else f'"{value}"') for name, value in error.items()
        )
        return f'{{"error": {{{fields}, "request_id": "$phoenix_gateway_id"}}}}\n'


_REPLIES = (
    Reply("phoenix_gateway_bad", (400, 405, 408, 411, 412, 414, 416, 494, 495, 496, 497), 400, "bad_request",
          "The gateway cannot read this request."),
    Reply("phoenix_gateway_unauthorized", (REFUSED,), REFUSED, "unauthorized",
          "A valid token is needed: Authorization: Bearer TOKEN.", (("WWW-Authenticate", "Bearer"),)),
    Reply("phoenix_gateway_unknown", (403, NOT_FOUND), NOT_FOUND, "unknown_path",
          "Nothing is served at this path."),
    Reply("phoenix_gateway_large", (TOO_LARGE,), TOO_LARGE, "body_too_large",
          "The request is larger than the gateway takes."),
    Reply("phoenix_gateway_busy", (BUSY,), BUSY, "rate_limited",
          "Too many requests from this address.", (("Retry-After", "1"),)),
    Reply("phoenix_gateway_down", (500, 501, 502, UNAVAILABLE), UNAVAILABLE, "backend_unavailable",
          "The backend $phoenix_gateway_backend does not answer.", (("Retry-After", "10"),)),
    Reply("phoenix_gateway_late", (TIMEOUT,), TIMEOUT, "backend_timeout",
          "The backend $phoenix_gateway_backend took too long.", (("Retry-After", "10"),)),
)  # fmt: skip


def answered(tokens: bool) -> tuple[Reply, ...]:
    """Return the answers that a gateway may have to give."""
    return tuple(reply for reply in _REPLIES if tokens or reply.status != REFUSED)
