"""Proxmox's calendar events: `sun 02:30`, `mon..fri 8..17,22:0/15`, `*-1 3:00`, `daily`.

    [WEEKDAYS] [[YEARS-]MONTHS-DAYS] [HOURS:MINUTES[:SECONDS]]

Each part is a list of values, ranges (`8..17`) and steps (`0/15`); one number alone is minutes of every hour.
A date or weekdays alone mean midnight. Like systemd's, but in the node's own time only (proxmox-time).
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from typing import NamedTuple

ALIASES = {
    "minutely": "*:*",
    "hourly": "*:0",
    "daily": "0:0",
    "weekly": "mon 0:0",
    "monthly": "*-1 0:0",
    "quarterly": "1,4,7,10-1 0:0",
    "semiannually": "1,7-1 0:0",
    "semi-annually": "1,7-1 0:0",
    "yearly": "1-1 0:0",
    "annually": "1-1 0:0",
}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONG_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
YEARS = (1970, 2099)
FARTHEST = 366 * 9
"""Days to look back: a 29th of February may be eight years away."""
_VALUE = re.compile(r"(\*|\d{1,4}(?:\.\.\d{1,4})?)(?:/(\d{1,4}))?")


class Event(NamedTuple):
    """The points in time that are meant: each part one of these."""

    weekdays: frozenset[int]
    """0 is Monday."""
    years: frozenset[int]
    months: frozenset[int]
    days: frozenset[int]
    hours: frozenset[int]
    minutes: frozenset[int]
    seconds: frozenset[int]

    def on(self, day: date) -> bool:
        """Tell whether there are any on a day."""
        fits = day.weekday() in self.weekdays and day.year in self.years
        return fits and day.month in self.months and day.day in self.days

    def times(self, day: date) -> Iterator[datetime]:
        """Yield those of a day, latest first."""
        for hour in sorted(self.hours, reverse=True):
            for minute in sorted(self.minutes, reverse=True):
                for second in sorted(self.seconds, reverse=True):
                    yield datetime(day.year, day.month, day.day, hour, minute, second)


@cache
def parse(text: str) -> Event:
    """Read a calendar event. Raises ValueError, saying what is not understood."""
    words = [word for part in text.lower().split() for word in ALIASES.get(part, part).split()]
    weekdays, days, times = frozenset(range(7)), "", ""
    if not words:
        raise ValueError("is empty: say when, like `sun 02:30` or `daily`")
    for number, word in enumerate(words):
        if word[0].isalpha() and number == 0:
            weekdays = _weekdays(word)
        elif "-" in word and not days and not times:
            days = word
        elif not times and not word[0].isalpha():
            times = word
        else:
            raise ValueError(f"`{word}` is not understood: weekdays, date, time, as in `mon..fri *-1 02:30`")
    years, months, of_month = _date(days)
    return Event(weekdays, years, months, of_month, *_time(times))


def _weekdays(word: str) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        first, dots, last = part.partition("..")
        begin = _weekday(first)
        end = _weekday(last) if dots else begin
        found.update(number % 7 for number in range(begin, end + 1 if end >= begin else end + 8))
    return frozenset(found)


def _weekday(name: str) -> int:
    for names in (DAYS, LONG_DAYS):
        if name in names:
            return names.index(name)
    raise ValueError(f"`{name}` is no weekday: {', '.join(DAYS)}")


def _date(text: str) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
    parts = text.split("-") if text else ["*", "*"]
    if len(parts) not in (2, 3):
        raise ValueError(f"`{text}` is no date: MONTHS-DAYS or YEARS-MONTHS-DAYS")
    years = parts.pop(0) if len(parts) == 3 else "*"
    return _values(years, *YEARS), _values(parts[0], 1, 12), _values(parts[1], 1, 31)


def _time(text: str) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
    parts = text.split(":") if text else ["0", "0"]
    if len(parts) > 3:
        raise ValueError(f"`{text}` is no time: HOURS:MINUTES")
    if len(parts) == 1:
        parts = ["*", *parts]
    if len(parts) == 2:
        parts.append("0")
    return _values(parts[0], 0, 23), _values(parts[1], 0, 59), _values(parts[2], 0, 59)


def _values(text: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _VALUE.fullmatch(part)
        if not match:
            raise ValueError(f"`{part}` is no number, range (`8..17`) or step (`0/15`)")
        first, dots, last = match[1].partition("..")
        begin = low if first == "*" else int(first)
        end = int(last) if dots else high if first == "*" or match[2] else begin
        if begin < low or end > high or begin > end or match[2] == "0":
            raise ValueError(f"`{part}` does not lie within {low} to {high}")
        found.update(range(begin, end + 1, int(match[2] or 1)))
    return frozenset(found)


def same(one: str, other: str) -> bool:
    """Tell whether two spellings mean the same points in time; what cannot be read is like itself only."""
    try:
        return parse(one) == parse(other)
    except ValueError:
        return one == other


def last(event: Event, moment: datetime) -> datetime | None:
    """Return the last point in time at or before a moment; None when there is none for years."""
    for back in range(FARTHEST):
        day = moment.date() - timedelta(days=back)
        if event.on(day):
            found = next((time for time in event.times(day) if time <= moment), None)
            if found is not None:
                return found
    return None
