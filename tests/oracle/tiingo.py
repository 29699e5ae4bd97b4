"""Tiingo's IEX stream: lists of data. Three elements are a reference price, sixteen a trade, a quote or a broken trade."""

from digits import Unreadable, micros, read_json, rfc3339, us_session
from model import CLEAR, Frame

CONTROL = {"H": "heartbeat", "I": "ack", "E": "failed"}


class Reader:
    def __init__(self, names):
        self.names = names

    def read(self, text):
        message = read_json(text)
        if not isinstance(message, dict):
            raise Unreadable("shape")
        kind = message.get("messageType")
        if kind in CONTROL:
            return Frame(CONTROL[kind])
        if kind != "A" or message.get("service") != "iex":
            return Frame("other")
        data, frame = message["data"], Frame()
        if len(data) == 3:
            time, name, price = data
            time = frame.read(rfc3339, time)
            frame.trade(self.symbol(name), None, time, price, CLEAR, CLEAR, session=us_session(time))
            return frame
        kind, _iso, nanos, name, bid_size, bid, _mid, ask, ask_size, last, last_size, halted, after_hours = data[:13]
        odd_lot = data[14]
        symbol = self.symbol(name)
        time = frame.read(lambda text: micros(text, 1_000_000_000), nanos)
        if kind == "Q":
            frame.quote(symbol, None, time, (bid, bid_size), (ask, ask_size))
        elif kind == "T" and odd_lot == "1":
            frame.ineligible += 1
        elif kind == "T":
            session = "extended" if after_hours == "1" else "regular"
            frame.trade(symbol, None, time, last, last_size, CLEAR, session=session)
        if kind != "B" and halted in ("0", "1"):
            frame.add(symbol, "status", None, time, halted=halted == "1", ends_with="resume")
        return frame

    def symbol(self, name):
        if name not in self.names:
            raise Unreadable("unknown_symbol")
        return self.names[name]
