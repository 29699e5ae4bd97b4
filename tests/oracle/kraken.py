"""Kraken, spot, v2: the channels `ticker` (quote and 24-hour figures), `trade` and `status`.

Numbers are bare: their characters are read, never a float. A pair without a quote comes as zeros with a time in 1970.
"""

from digits import Unreadable, read_json, rfc3339, whole
from model import KEEP, Frame

SIDES = {"buy": "buy", "sell": "sell"}


class Reader:
    def __init__(self, names):
        self.names = names
        self.is_halted = False

    def read(self, text):
        message = read_json(text)
        if not isinstance(message, dict):
            raise Unreadable("shape")
        if "method" in message or "error" in message or "Error" in message:
            if message.get("method") == "pong":
                return Frame("heartbeat")
            if message.get("success") is True:
                return Frame("ack")
            return Frame("refusal" if "symbol" in message else "failed")
        channel, data = message.get("channel"), message.get("data")
        if channel == "heartbeat":
            return Frame("heartbeat")
        if channel not in ("ticker", "trade", "status"):
            return Frame("other")
        if not isinstance(data, list):
            raise Unreadable("shape")
        frame = Frame()
        if channel == "status":
            self.status(frame, data)
        elif channel == "ticker":
            for ticker in data:
                self.ticker(frame, ticker)
        else:
            self.trades(frame, data, is_backlog=message.get("type") == "snapshot")
        return frame

    def status(self, frame, data):
        """Of the whole venue: only while it is `online` are orders matched. Every connection begins with it: `online`
        says nothing of a market that was not halted, and proves no data."""
        for status in data:
            is_halted = status["system"] != "online"
            for symbol in self.names.values() if is_halted or self.is_halted else ():
                frame.add(symbol, "status", halted=is_halted, ends_with="resume")
            self.is_halted = is_halted

    def symbol(self, frame, item):
        symbol = self.names.get(item.get("symbol"))
        if symbol is None:
            frame.dropped.append("unknown_symbol")
        return symbol

    def ticker(self, frame, ticker):
        """Always whole. `last` moves nothing: the trades do. There is neither an open nor a previous close."""
        symbol = self.symbol(frame, ticker)
        if symbol is None:
            return
        get = lambda name: ticker.get(name, KEEP)
        time = frame.read(rfc3339, get("timestamp"))
        bid, ask = (get("bid"), get("bid_qty")), (get("ask"), get("ask_qty"))
        frame.quote(symbol, None, time, bid, ask)
        frame.stats(symbol, None, time, "24h", get("volume"), high=get("high"), low=get("low"))

    def trades(self, frame, trades, is_backlog):
        """Oldest first. Of the fifty trades before the subscription only the newest counts, for each symbol."""
        wanted = [(self.symbol(frame, trade), trade) for trade in trades]
        wanted = [(symbol, trade) for symbol, trade in wanted if symbol is not None]
        if is_backlog:
            wanted = list({symbol: (symbol, trade) for symbol, trade in wanted}.values())
        for symbol, trade in wanted:
            number = frame.read(whole, trade.get("trade_id", KEEP))
            time = frame.read(rfc3339, trade.get("timestamp", KEEP))
            side = frame.word(SIDES, trade.get("side", KEEP))
            frame.trade(symbol, number, time, trade.get("price", KEEP), trade.get("qty", KEEP), side)
