"""Bybit v5: spot with `publicTrade`, `orderbook.1`, `tickers`; linear and inverse with `publicTrade`, `tickers`.

On spot a ticker is whole and has no quote. On linear and inverse a ticker has the quote too, and after the first one only
what has changed: a field that is absent is unchanged.
"""

from digits import Unreadable, micros, read_json, whole
from model import CLEAR, KEEP, Frame

TAKERS = {"Buy": "buy", "Sell": "sell"}


def millis(text):
    return micros(text, 1_000)


class Reader:
    CHANNELS = ()

    def __init__(self, names):
        self.names = names

    def read(self, text):
        message = read_json(text)
        if not isinstance(message, dict):
            raise Unreadable("shape")
        topic = message.get("topic")
        if topic is None:
            return Frame(self.answer(message))
        channel, _, name = topic.rpartition(".")
        if channel not in self.CHANNELS:
            return Frame("other")
        symbol = self.names.get(name)
        if symbol is None:
            raise Unreadable("unknown_symbol")
        frame = Frame()
        if channel == "publicTrade":
            for trade in message["data"]:
                self.trade(frame, symbol, trade)
        elif channel == "orderbook.1":
            self.book(frame, symbol, message)
        else:
            self.ticker(frame, symbol, message)
        return frame

    def answer(self, message):
        if message.get("op") in ("ping", "pong") or message.get("ret_msg") == "pong":
            return "heartbeat"
        return "ack" if message.get("success") is True else "refusal"

    def trade(self, frame, symbol, trade):
        """Oldest first, and never a backlog. A block trade happens off the book."""
        if trade.get("BT") is True:
            frame.ineligible += 1
            return
        time = frame.read(millis, trade.get("T", KEEP))
        side = frame.word(TAKERS, trade.get("S", KEEP))
        frame.trade(symbol, self.number(frame, trade), time, trade.get("p", KEEP), trade.get("v", KEEP), side)

    def stats(self, frame, symbol, number, time, data):
        """The price of 24 hours ago is the first of the window: its open."""
        get = lambda name: data.get(name, KEEP)
        prices = {"open": get("prevPrice24h"), "high": get("highPrice24h"), "low": get("lowPrice24h")}
        frame.stats(symbol, number, time, "24h", get("volume24h"), **prices)


class Spot(Reader):
    CHANNELS = ("publicTrade", "orderbook.1", "tickers")

    def number(self, frame, trade):
        return frame.read(whole, trade.get("i", KEEP))

    def ticker(self, frame, symbol, message):
        self.stats(frame, symbol, None, frame.read(millis, message.get("ts", KEEP)), message["data"])

    def book(self, frame, symbol, message):
        """The engine's time `cts` counts, else `ts`. In a delta an empty side is unchanged, size 0 is gone."""
        data = message["data"]
        number = frame.read(whole, data.get("u", KEEP))
        time = frame.read(millis, message.get("cts", message.get("ts", KEEP)))
        bid, ask = (self.side(data.get(side, []), message.get("type") == "delta") for side in ("b", "a"))
        frame.quote(symbol, number, time, bid, ask)

    @staticmethod
    def side(levels, is_delta):
        if is_delta and not levels:
            return KEEP, KEEP
        return next(((price, size) for price, size in levels if size.strip("0.")), (CLEAR, CLEAR))


class Derivatives(Reader):
    CHANNELS = ("publicTrade", "tickers")

    def number(self, frame, trade):
        """The id is a UUID, which has no order."""
        return None

    def ticker(self, frame, symbol, message):
        data = message["data"]
        get = lambda name: data.get(name, KEEP)
        number = frame.read(whole, message.get("cs", KEEP))
        time = frame.read(millis, message.get("ts", KEEP))
        bid, ask = (get("bid1Price"), get("bid1Size")), (get("ask1Price"), get("ask1Size"))
        frame.quote(symbol, number, time, bid, ask)
        self.stats(frame, symbol, number, time, data)
