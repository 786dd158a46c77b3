"""What verbs that look at hosts or change them leave behind: a record of the run."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..records.events import Listener, Run
from ..records.files import Writer
from ..records.revision import revision

APART = 1.0
"""Seconds between two events that tell how far one step is: a download may say it a thousand times."""

if TYPE_CHECKING:
    from ..converge.engine import Tell


@contextmanager
def recorded(
    verb: str, site: Path, warn: Callable[[str], None], listeners: Sequence[Listener] = ()
) -> Iterator[Run]:
    """Keep a record of what is told while this is open, and tell it to the listeners as well.

    Who leaves with an error is recorded with it.
    """
    from .. import __version__
    from ..errors import ExitCode, PhoenixError

    run = Run(verb, [Writer(site, warn), *listeners])
    run.begin(["phoenix", *sys.argv[1:]], site=str(site), phoenix=__version__)
    # asking git takes as long as connecting: meanwhile
    asking = threading.Thread(target=lambda: run.tell("revision", {"revision": revision(site)}), daemon=True)
    asking.start()
    try:
        yield run
        asking.join()
    except PhoenixError as error:
        asking.join()
        run.tell("error", {"message": error.message})
        run.end(error.code)
        raise
    except KeyboardInterrupt:
        run.end(ExitCode.INTERRUPTED)
        raise
    except BaseException as error:
        run.tell("error", {"message": f"{type(error).__name__}: a fault in phoenix itself"})
        run.end(ExitCode.FAILED)
        raise
    finally:
        run.close()


def told_to(run: Run, screen: Tell) -> Tell:
    """Return what tells a run of the engine's events as well as the screen."""

    told: dict[tuple[Any, Any], float] = {}

    def tell(event: str, facts: Mapping[str, Any]) -> None:
        screen(event, facts)
        if event == "looked":
            return  # for a screen: the outcome has all statuses
        if event == "progress":
            step, now = (facts["ref"], facts["title"]), time.monotonic()
            if now - told.get(step, 0.0) < APART:
                return
            told[step] = now
        if event == "ran":
            run.tell("ran", facts["ran"].row)
        else:
            run.tell(event, {"resource" if name == "ref" else name: value for name, value in facts.items()})

    return tell
