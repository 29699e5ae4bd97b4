"""Binance, spot and USD-M futures: the streams `trade`, `bookTicker` and `ticker`, in their envelope or bare.

Keys differ by their case alone. A quote of spot has no `e` and no time. A buyer who is the maker means that the taker sold.
"""

from digits import Unreadable, micros, read_json, whole
from model import KEEP, Frame

TAKERS = {True: "sell", False: "buy"}


def moment(text):
    """Milliseconds, or microseconds where the address asks for them: those have 16 digits."""
    return micros(text, 1_000_000 if len(text) >= 15 else 1_000)


class Reader:
    def __init__(self, names):
        # In the names of streams they are in lower case, in events in upper case.
        self.names = {name.upper(): symbol for name, symbol in names.items()}

    def read(self, text):
        message = read_json(text)
        if not isinstance(message, dict):
            raise Unreadable("shape")
        event = message.get("data", message)
        if "e" not in event and not ("u" in event and "s" in event):
            if "code" in message or "error" in message:
                return Frame("refusal")
            return Frame("ack" if "result" in message else "other")
        kind = event.get("e", "bookTicker")
        if kind == "serverShutdown":
            return Frame("closing")
        if kind not in ("trade", "bookTicker", "24hrTicker"):
            return Frame("other")
        symbol = self.names.get(event.get("s"))
        if symbol is None:
            raise Unreadable("unknown_symbol")
        frame = Frame()
        get = lambda name: event.get(name, KEEP)
        if kind == "trade":
            self.trade(frame, symbol, get)
        elif kind == "bookTicker":
            time = frame.read(moment, get("T"))
            frame.quote(symbol, frame.read(whole, get("u")), time, (get("b"), get("B")), (get("a"), get("A")))
        else:
            prices = {"open": get("o"), "high": get("h"), "low": get("l"), "prev_close": self.prev_close(get)}
            frame.stats(symbol, None, frame.read(moment, get("E")), "24h", get("v"), **prices)
        return frame

    def trade(self, frame, symbol, get):
        """What an insurance fund takes over is not a trade of the market."""
        if get("X") not in (KEEP, "MARKET"):
            frame.ineligible += 1
            return
        number, time = frame.read(whole, get("t")), frame.read(moment, get("T"))
        frame.trade(symbol, number, time, get("p"), get("q"), frame.word(TAKERS, get("m")))


class Spot(Reader):
    def prev_close(self, get):
        return get("x")


class UsdM(Reader):
    def prev_close(self, get):
        return KEEP
