"""Twelve Data: `price` frames, each a last price without size. Times are whole seconds.

A price that comes again within its second says nothing. `RY` and `RY:TSX` both arrive as `RY`, with their exchange; the
answer to the subscription tells which one `RY` alone is.
"""

from digits import Unreadable, micros, read_json, us_session
from model import CLEAR, KEEP, Frame

US = {"NASDAQ", "NYSE", "CBOE", "XNGS", "XNAS", "XNYS", "ARCX"}

CONTROL = {"heartbeat": "heartbeat", "subscribe-status": "ack", "unsubscribe-status": "ack"}


def places(message):
    """The names of an exchange, the plainer one first."""
    return [message[key] for key in ("exchange", "mic_code") if message.get(key)]


class Reader:
    def __init__(self, names):
        self.names = names
        self.last = {}  # of each symbol: time and price
        self.homes = {}  # of each name that stands alone and with an exchange: where the one alone trades

    def read(self, text):
        message = read_json(text)
        if not isinstance(message, dict):
            raise Unreadable("shape")
        event = message.get("event")
        if event == "subscribe-status":
            self.granted(message.get("success") or [])
        if event in CONTROL:
            return Frame(CONTROL[event])
        if event is None and "code" in message:
            return Frame("failed")
        if event != "price":
            return Frame("other")
        frame = Frame()
        self.price(frame, self.symbol(message), lambda name: message.get(name, KEEP))
        return frame

    def granted(self, symbols):
        for symbol in symbols:
            if not self.with_exchange(symbol):
                self.homes[symbol["symbol"]] = places(symbol)

    def with_exchange(self, message):
        found = (f"{message['symbol']}:{place}" for place in places(message))
        return next((self.names[name] for name in found if name in self.names), None)

    def symbol(self, message):
        name = message["symbol"]
        other = self.with_exchange(message)
        if other:
            return other
        is_unique = not any(listed.startswith(f"{name}:") for listed in self.names)
        if name in self.names and (is_unique or set(places(message)) & set(self.homes.get(name, []))):
            return self.names[name]
        raise Unreadable("unknown_symbol")

    def price(self, frame, symbol, get):
        time = frame.read(lambda text: micros(text, 1), get("timestamp"))
        if self.last.get(symbol) != (time, get("price")):
            is_us = get("exchange") in US or get("mic_code") in US
            session = us_session(time) if is_us else "regular"
            frame.trade(symbol, None, time, get("price"), CLEAR, CLEAR, session=session)
        if self.last.get(symbol, (0,))[0] <= time:
            self.last[symbol] = (time, get("price"))
        bid, ask = frame.price(get("bid")), frame.price(get("ask"))
        if (bid, ask) != (KEEP, KEEP):
            bid, ask = (CLEAR if side is KEEP else side for side in (bid, ask))
        frame.add(symbol, "quote", None, time, bid=bid, ask=ask)
        frame.stats(symbol, None, time, "day", get("day_volume"))
