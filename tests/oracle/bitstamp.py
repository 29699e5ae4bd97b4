"""Bitstamp: the channels `live_trades_` and `order_book_`, each with the pair in its name.

The floats `price` and `amount` have noise: only `price_str` and `amount_str` are read.
"""

from digits import Unreadable, micros, read_json, whole
from model import CLEAR, KEEP, Frame

TRADES, BOOK = "live_trades_", "order_book_"
KINDS = {
    "bts:subscription_succeeded": "ack",
    "bts:unsubscription_succeeded": "ack",
    "bts:error": "refusal",
    "bts:heartbeat": "heartbeat",
    "bts:request_reconnect": "closing",
}
TAKERS = {"0": "buy", "1": "sell"}


class Reader:
    def __init__(self, names):
        self.names = names

    def read(self, text):
        message = read_json(text)
        if not isinstance(message, dict):
            raise Unreadable("shape")
        event, channel = message.get("event"), message.get("channel", "")
        if event in KINDS:
            return Frame(KINDS[event])
        frame = Frame()
        if event == "trade" and channel.startswith(TRADES):
            self.trade(frame, self.symbol(channel.removeprefix(TRADES)), message["data"])
        elif event == "data" and channel.startswith(BOOK):
            self.book(frame, self.symbol(channel.removeprefix(BOOK)), message["data"])
        else:
            return Frame("other")
        return frame

    def symbol(self, name):
        if name not in self.names:
            raise Unreadable("unknown_symbol")
        return self.names[name]

    def trade(self, frame, symbol, data):
        number = frame.read(whole, data.get("id", KEEP))
        time = frame.read(lambda text: micros(text, 1_000_000), data.get("microtimestamp", KEEP))
        side = frame.word(TAKERS, data.get("type", KEEP))
        frame.trade(symbol, number, time, data.get("price_str", KEEP), data.get("amount_str", KEEP), side)

    def book(self, frame, symbol, data):
        """The best level stands first; a side without levels is empty."""
        time = frame.read(lambda text: micros(text, 1_000_000), data.get("microtimestamp", KEEP))
        bid, ask = (data[side][0] if data[side] else (CLEAR, CLEAR) for side in ("bids", "asks"))
        frame.quote(symbol, None, time, bid[:2], ask[:2])
