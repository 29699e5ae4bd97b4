"""OKX v5, public: the channels `trades`, `bbo-tbt` (quote) and `tickers` (24-hour figures).

Every number is a string, times are milliseconds. An empty string or an empty side clears.
"""

from digits import Unreadable, micros, read_json, whole
from model import CLEAR, KEEP, Frame

SIDES = {"buy": "buy", "sell": "sell"}


class Reader:
    def __init__(self, names):
        self.names = names

    def read(self, text):
        if text == "pong":
            return Frame("heartbeat")
        message = read_json(text)
        if not isinstance(message, dict):
            raise Unreadable("shape")
        event = message.get("event")
        if event is not None:
            return self.answer(event, message)
        channel = message["arg"]["channel"]
        if channel not in ("trades", "bbo-tbt", "tickers"):
            return Frame("other")
        symbol = self.names.get(message["arg"].get("instId"))
        if symbol is None:
            raise Unreadable("unknown_symbol")
        frame = Frame()
        for data in message["data"]:
            time = frame.read(lambda text: micros(text, 1_000), data.get("ts", KEEP))
            if channel == "trades":
                self.trade(frame, symbol, data, time)
            elif channel == "bbo-tbt":
                self.quote(frame, symbol, data, time)
            else:
                self.stats(frame, symbol, data, time)
        return frame

    def answer(self, event, message):
        if event in ("subscribe", "unsubscribe", "channel-conn-count"):
            return Frame("ack")
        if event == "error":
            return Frame("refusal")
        if event == "notice":
            return Frame("closing" if message.get("code") == "64008" else "other")
        return Frame("failed" if event == "channel-conn-count-error" else "other")

    def trade(self, frame, symbol, data, time):
        number = frame.read(whole, data.get("tradeId", KEEP))
        side = frame.word(SIDES, data.get("side", KEEP))
        frame.trade(symbol, number, time, data.get("px", KEEP), data.get("sz", KEEP), side)

    def quote(self, frame, symbol, data, time):
        bid, ask = (data[side][0] if data[side] else (CLEAR, CLEAR) for side in ("bids", "asks"))
        number = frame.read(whole, data.get("seqId", KEEP))
        frame.quote(symbol, number, time, bid[:2], ask[:2])

    def stats(self, frame, symbol, data, time):
        """Neither `last` nor the bid and ask move anything: other channels bring them sooner."""
        get = lambda name: data.get(name, KEEP)
        prices = {"open": get("open24h"), "high": get("high24h"), "low": get("low24h")}
        frame.stats(symbol, None, time, "24h", get("vol24h"), **prices)
