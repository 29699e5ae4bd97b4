"""Numbers and times, read from a frame's own characters. No float is ever made."""

import json
import re
from datetime import datetime, timezone
from decimal import Decimal, getcontext
from zoneinfo import ZoneInfo

getcontext().prec = 400  # more digits than any field has: nothing is ever rounded

JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


NEW_YORK = ZoneInfo("America/New_York")


def us_session(time):
    """The session of a price of a US stock, in µs since 1970: `regular` to the second of the close. Of holidays and half
    days it knows nothing."""
    if not isinstance(time, int):
        return "regular"
    there = datetime.fromtimestamp(time // 1_000_000, NEW_YORK)
    second = there.hour * 3600 + there.minute * 60 + there.second
    return "regular" if there.weekday() < 5 and 9.5 * 3600 <= second <= 16 * 3600 else "extended"


class Unreadable(Exception):
    """A field or a frame that is dropped. Its one argument is the reason, a word of the gateway's closed set."""


def read_json(frame):
    """The frame as Python values. A bare number becomes a string of its own characters, as a quoted one is."""

    def refuse(_constant):
        raise ValueError("NaN and Infinity are not JSON")

    try:
        return json.loads(frame, parse_float=str, parse_int=str, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise Unreadable("json") from None


def plain(text):
    """The number in plain digits without trailing zeros: `1E-8` is `0.00000001`, `5.00` is `5`."""
    if not isinstance(text, str) or not JSON_NUMBER.fullmatch(text):
        raise Unreadable("number")
    number = Decimal(text)
    if number == 0:
        return "0"
    number = number.normalize()
    _sign, digits, exponent = number.as_tuple()
    whole = int("".join(map(str, digits))) * 10 ** max(exponent, 0)
    if whole > 2**63 - 1 or exponent < -30:
        raise Unreadable("range")
    return format(number, "f")


def whole(text):
    """An id: a whole number of at most 64 bits."""
    if isinstance(text, str) and re.fullmatch(r"0|[1-9][0-9]*", text) and int(text) < 2**64:
        return int(text)
    raise Unreadable("number")


def micros(text, per_second):
    """A count of seconds, milliseconds, ... since 1970 (`per_second` of them make a second) in microseconds."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,19}", text):
        raise Unreadable("time")
    return int(text) * 1_000_000 // per_second


def rfc3339(text):
    """`2026-09-25T17:48:26.844359Z` in microseconds since 1970; digits behind the sixth are cut off."""
    found = RFC3339.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise Unreadable("time")
    seconds, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(seconds + (zone if zone != "Z" else "+00:00"))
    except ValueError:
        raise Unreadable("time") from None
    since_1970 = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since_1970.days * 86_400 + since_1970.seconds) * 1_000_000 + int((fraction or "").ljust(9, "0")) // 1_000
