"""Coinbase Advanced Trade: the channels `market_trades`, `ticker`, `status` and `heartbeats`.

`sequence_num` counts all frames of a connection: a hole is a loss. A trade's `side` is the maker's. Trades come newest
first. A ticker has no time of its own: the envelope's counts.
"""

from digits import Unreadable, read_json, rfc3339, whole
from model import KEEP, Frame

TAKERS = {"BUY": "sell", "SELL": "buy"}


class Reader:
    def __init__(self, names):
        self.names = names
        self.halted = set()
        self.next_number = None

    def read(self, text):
        message = read_json(text)
        if not isinstance(message, dict):
            raise Unreadable("shape")
        if message.get("type") == "error":
            return Frame("refusal")
        channel, events = message.get("channel"), message.get("events")
        number = whole(message.get("sequence_num"))
        is_gap = self.next_number not in (None, number)
        self.next_number = number + 1
        if is_gap:
            return Frame("gap")
        if channel == "heartbeats":
            return Frame("heartbeat")
        if channel == "subscriptions":
            return Frame("ack")
        if channel not in ("market_trades", "ticker", "status"):
            return Frame("other")
        frame = Frame()
        time = frame.read(rfc3339, message.get("timestamp", KEEP))
        for event in events:
            if channel == "market_trades":
                self.trades(frame, event)
            elif channel == "ticker":
                for ticker in event["tickers"]:
                    self.ticker(frame, ticker, time)
            else:
                for product in event["products"]:
                    self.status(frame, product, time)
        return frame

    def symbol(self, frame, name):
        symbol = self.names.get(name)
        if symbol is None:
            frame.dropped.append("unknown_symbol")
        return symbol

    def trades(self, frame, event):
        """Turned oldest first. Of a snapshot, a hundred trades of each product, only the newest of each counts."""
        wanted = [(self.symbol(frame, trade.get("product_id")), trade) for trade in reversed(event["trades"])]
        wanted = [(symbol, trade) for symbol, trade in wanted if symbol is not None]
        if event["type"] == "snapshot":
            wanted = list({symbol: (symbol, trade) for symbol, trade in wanted}.values())
        for symbol, trade in wanted:
            number = frame.read(whole, trade.get("trade_id", KEEP))
            time = frame.read(rfc3339, trade.get("time", KEEP))
            side = frame.word(TAKERS, trade.get("side", KEEP))
            frame.trade(symbol, number, time, trade.get("price", KEEP), trade.get("size", KEEP), side)

    def ticker(self, frame, ticker, time):
        """`price` moves nothing: it lags behind the trades. There is neither an open nor a previous close."""
        symbol = self.symbol(frame, ticker.get("product_id"))
        if symbol is None:
            return
        get = lambda name: ticker.get(name, KEEP)
        bid, ask = (get("best_bid"), get("best_bid_quantity")), (get("best_ask"), get("best_ask_quantity"))
        frame.quote(symbol, None, time, bid, ask)
        frame.stats(symbol, None, time, "24h", get("volume_24_h"), high=get("high_24_h"), low=get("low_24_h"))

    def status(self, frame, product, time):
        """Every product of the venue is listed, wanted or not. `online` says nothing of one that was not halted."""
        symbol = self.names.get(product.get("id"))
        is_halted = product.get("status") != "online"
        if symbol is not None and (is_halted or symbol in self.halted):
            frame.add(symbol, "status", None, time, halted=is_halted, ends_with="resume")
            (self.halted.add if is_halted else self.halted.discard)(symbol)
