"""Faults of the network that pass: which these are, how long to wait, and reading on where one came.

The Hub's clients and datasets try again by themselves, for minutes at most. What comes through is tried again here, so
that an outage does not end a run of days: answers of status 5xx, 408 and 429, timeouts, connections that break, are
refused or end early. A file that is not there (404), or not ours to read (401, 403), is not tried again.
"""

import errno
import time
from collections.abc import Callable, Container, Iterator
from typing import TypeVar

from .terminal import in_a_line, logger

_WAITS = (1, 3)  # seconds before the second and third attempt, where somebody waits for it
_LONG_WAITS = (1, 3, 10, *[30] * 15)  # in the middle of a run; a reading thread that waits ends so much later
_STATUSES = (408, 429)
_ERRNOS = (errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH)
# Of libraries that need not be installed, which is why these are names and not classes.
_PASSING = {
    "builtins.ConnectionError",
    "builtins.TimeoutError",
    "asyncio.TimeoutError",
    "ssl.SSLEOFError",
    "http.IncompleteRead",
    "httpx.TransportError",
    "httpx2.TransportError",
    "aiohttp.ClientConnectionError",
    "aiohttp.ClientPayloadError",
    "requests.ConnectionError",
    "requests.Timeout",
    "requests.ChunkedEncodingError",
    "urllib3.ProtocolError",
    "urllib3.TimeoutError",
}

Item = TypeVar("Item")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _kinds(error: BaseException) -> set[str]:
    """The names of its class and of those above, each with its library's."""
    return {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}


def _status_of(error: BaseException) -> int | None:
    """The status of the answer that an error tells of, in the ways of httpx, requests, aiohttp and urllib."""
    for told in (getattr(error, "response", None), error):
        for name in ("status_code", "status"):
            value = getattr(told, name, None)
            if isinstance(value, int) and value >= 400:
                return value
    return None


def is_passing(error: BaseException, also: Container[int] = ()) -> bool:
    """Whether what failed may go well the next time. A status decides, wherever in the chain of errors it is.

    `also` are further statuses that pass.
    """
    errors = list(chain(error))
    kinds = set().union(*map(_kinds, errors))
    if "huggingface_hub.OfflineModeIsEnabled" in kinds:
        return False
    status = next(filter(None, map(_status_of, errors)), None)
    if status is not None:
        return status >= 500 or status in _STATUSES or status in also
    return bool(kinds & _PASSING) or any(getattr(each, "errno", None) in _ERRNOS for each in errors)


def tried_again(call: Callable[[], Item], also: Container[int] = ()) -> Item:
    """What `call()` gives, which is called twice more at most, after faults that pass. It must be idempotent.

    Each fault is told in the log: the Hub's client may have waited half a minute for it.
    """
    for attempt, wait in enumerate(_WAITS, 2):
        try:
            return call()
        except Exception as error:
            if not is_passing(error, also):
                raise
            reason = f"{type(error).__name__}: {in_a_line(error)}"
            logger(__name__).warning("%s; attempt %d of %d", reason, attempt, len(_WAITS) + 1)
        time.sleep(wait)
    return call()


def reading_on(read: Callable[[int], Iterator[Item]], place: str) -> Iterator[Item]:
    """The items of ``read(0)``, each once; after a fault that passes, those of ``read(n)``, which begins at number n.

    Attempts that give no further item are tried for eight minutes at most. Each fault is told in the log.
    """
    number = 0
    faults = 0
    attempt = 1
    while True:
        try:
            for item in read(number):
                yield item
                number += 1
                attempt = 1
            return
        except Exception as error:
            if attempt > len(_LONG_WAITS) or not is_passing(error):
                raise
            faults += 1
            reason = f"{type(error).__name__}: {in_a_line(error)}"
            message = "%s: %s; attempt %d of %d, from row %d on (fault %d of it)"
            attempts = len(_LONG_WAITS) + 1
            logger(__name__).warning(message, place, reason, attempt + 1, attempts, number + 1, faults)
        time.sleep(_LONG_WAITS[attempt - 1])
        attempt += 1
