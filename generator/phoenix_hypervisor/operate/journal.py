"""What a guest has written down, and how it was started: printed once, or as it comes."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import GuestDownError, GuestError
from ..guestverbs import PLACE, Sight
from ..inspect.fleet import Fleet
from ..transport import Answer, Question
from .guests import Named


class Journal:
    """The journal of one guest; while it does not run, what its node says of its last start."""

    def __init__(self, fleet: Fleet, one: Named, sight: Sight) -> None:
        self._fleet = fleet
        self._one = one
        self.inside = sight.running

    def last(self, lines: int) -> str:
        """Return the last lines. Raises HostError."""
        return self._text(self._ask(lines, None))

    def follow(self, lines: int) -> Iterator[str]:
        """Yield the last lines, and then whatever is new at each turn; ends when it cannot go on."""
        place = ""
        while True:
            inside = self.inside
            text = self._text(self._ask(lines, place))
            if inside and not self.inside:
                place = ""  # it has stopped: this was from another journal
            text, found = _taken_apart(text)
            yield text
            if not (found or place):
                return
            place = found or place

    def _ask(self, lines: int, place: str | None) -> Answer:
        verbs, guest = self._one.verbs, self._one.resource
        if self.inside:
            try:
                question = Question(verbs.journal(lines, place))
                return self._fleet.transport(self._one.name).ask([question])[0]
            except GuestDownError:
                self.inside = False
                place = place and ""
        question = Question(verbs.start_log(guest, lines, place))
        return self._fleet.transport(self._one.guest.node).ask([question])[0]

    def _text(self, answer: Answer) -> str:
        """What was printed; a journal that cannot be read is no empty one."""
        said = answer.stderr.decode(errors="replace").strip()
        if answer.status and said and not answer.stdout:
            raise GuestError(f"the journal of {self._one.called} cannot be read: {said}")
        return answer.stdout.decode(errors="replace")


def _taken_apart(text: str) -> tuple[str, str]:
    """The lines, and the place to go on from behind them."""
    before, mark, place = text.rpartition(PLACE)
    return (before, place.strip()) if mark else (text, "")
