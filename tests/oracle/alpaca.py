"""Alpaca, US stocks: `t` trades, `q` quotes, `d` the day's figures, `s` halts, `c` and `x` corrections and cancels.

Every frame is an array. The order of arrival counts: ids run per exchange. A trade's conditions decide whether it may be
the last price. An unknown condition never hides a trade.
"""

from digits import Unreadable, plain, read_json, rfc3339, whole
from model import CLEAR, KEEP, Frame

# Conditions whose trade does not set the consolidated last price: odd lots, average prices, other settlements, official
# prices, out of sequence. Some letters mean so on one tape alone: A and B are CTA's, C and O have those of UTP.
INELIGIBLE = set("CHIMNPQRUVZ47")
CTA_ALONE = set("B")
UTP_ALONE = set("GW3")
EXTENDED = "T"  # outside the regular session
OTHER = ("b", "u", "l", "i", "o")


class Reader:
    def __init__(self, names):
        self.names = names

    def read(self, text):
        events = read_json(text)
        if not isinstance(events, list):
            raise Unreadable("shape")
        kinds = {event.get("T") for event in events}
        if kinds & {"success", "subscription"}:
            return Frame("ack")
        if "error" in kinds:
            return Frame("failed")
        if kinds <= set(OTHER):
            return Frame("other")
        frame = Frame()
        for event in events:
            kind = event.get("T")
            read = {"t": self.trade, "q": self.quote, "d": self.day, "c": self.correction, "x": self.cancel}.get(kind)
            if read is None:
                continue
            symbol = self.names.get(event.get("S"))
            if symbol is None:
                frame.dropped.append("unknown_symbol")
                continue
            read(frame, symbol, event)
        return frame

    @staticmethod
    def session(conditions):
        return "extended" if EXTENDED in (conditions or ()) else "regular"

    @staticmethod
    def is_ineligible(conditions, event):
        alone = CTA_ALONE if event.get("z") in ("A", "B") else UTP_ALONE if event.get("z") in ("C", "O") else set()
        return (INELIGIBLE | alone) & set(conditions)

    def trade(self, frame, symbol, event):
        conditions = event.get("c") or []
        if self.is_ineligible(conditions, event):
            frame.ineligible += 1
            return
        time = frame.read(rfc3339, event.get("t", KEEP))
        more = {"session": self.session(conditions), "key": [event.get("x"), event.get("i")], "by_arrival": True}
        frame.trade(symbol, None, time, event.get("p", KEEP), event.get("s", KEEP), CLEAR, **more)

    def quote(self, frame, symbol, event):
        get = lambda name: event.get(name, KEEP)
        frame.quote(symbol, None, frame.read(rfc3339, get("t")), (get("bp"), get("bs")), (get("ap"), get("as")))
        if frame.parts and frame.parts[-1]["part"] == "quote":
            frame.parts[-1]["by_arrival"] = True

    def day(self, frame, symbol, event):
        get = lambda name: event.get(name, KEEP)
        time = frame.read(rfc3339, get("t"))
        frame.stats(symbol, None, time, "day", get("v"), open=get("o"), high=get("h"), low=get("l"))

    def correction(self, frame, symbol, event):
        conditions = event.get("cc") or []
        price = CLEAR if self.is_ineligible(conditions, event) else frame.price(event.get("cp", CLEAR))
        frame.add(
            symbol,
            "correction",
            of=[event.get("x"), event.get("oi")],
            key=[event.get("x"), event.get("ci")],
            price=price,
            size=frame.amount(event.get("cs", CLEAR)),
            session=self.session(conditions),
        )

    def cancel(self, frame, symbol, event):
        of = [event.get("x"), event.get("i")]
        frame.add(symbol, "correction", of=of, key=None, price=CLEAR, size=CLEAR, session="regular")


class Coins(Reader):
    """The stream of coins: one exchange with one clock, so times are the order, and equal ones pass."""

    SIDES = {"B": "buy", "S": "sell"}

    def trade(self, frame, symbol, event):
        time = frame.read(rfc3339, event.get("t", KEEP))
        side = frame.word(self.SIDES, event.get("tks", KEEP)) if "tks" in event else CLEAR
        frame.trade(symbol, None, time, event.get("p", KEEP), event.get("s", KEEP), side)

    def quote(self, frame, symbol, event):
        super().quote(frame, symbol, event)
        for part in frame.parts:
            part.pop("by_arrival", None)
