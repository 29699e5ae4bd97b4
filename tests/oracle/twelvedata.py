"""Twelve Data: `price` frames, each a last price without size. Times are whole seconds.

A price that comes again within its second says nothing. `RY` and `RY:TSX` both arrive as `RY`, with their exchange.
"""

from digits import Unreadable, micros, read_json, us_session
from model import CLEAR, KEEP, Frame

US = {"NASDAQ", "NYSE", "CBOE", "XNGS", "XNAS", "XNYS", "ARCX"}

CONTROL = {"heartbeat": "heartbeat", "subscribe-status": "ack", "unsubscribe-status": "ack"}


class Reader:
    def __init__(self, names):
        self.names = names
        self.last = {}  # of each symbol: time and price

    def read(self, text):
        message = read_json(text)
        if not isinstance(message, dict):
            raise Unreadable("shape")
        event = message.get("event")
        if event in CONTROL:
            return Frame(CONTROL[event])
        if event is None and "code" in message:
            return Frame("failed")
        if event != "price":
            return Frame("other")
        frame = Frame()
        self.price(frame, self.symbol(message), lambda name: message.get(name, KEEP))
        return frame

    def symbol(self, message):
        name = message["symbol"]
        for key in ("exchange", "mic_code"):
            if f"{name}:{message.get(key)}" in self.names:
                return self.names[f"{name}:{message[key]}"]
        if name not in self.names:
            raise Unreadable("unknown_symbol")
        return self.names[name]

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
