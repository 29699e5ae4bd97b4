"""Massive, US stocks: `T` trades, `Q` quotes, `A` bars of seconds with the day's volume, `LULD` limits and halts.

Every frame is an array. The order of arrival counts. A trade with the exchange, the facility and the id of the one before
it is that one again. The ids of conditions decide whether it may be the last price; an unknown id never hides a trade.
"""

from digits import Unreadable, micros, read_json
from model import CLEAR, KEEP, Frame

INELIGIBLE = {2, 5, 7, 10, 13, 15, 16, 20, 21, 22, 29, 32, 33, 37, 42, 43, 44, 46, 47, 48, 49, 50, 51, 52, 53, 54}
EXTENDED = 12


class Reader:
    def __init__(self, names):
        self.names = names
        self.last = {}  # of each symbol: what tells its last trade

    def read(self, text):
        events = read_json(text)
        if not isinstance(events, list):
            raise Unreadable("shape")
        kinds = {event.get("ev") for event in events}
        if "status" in kinds:
            statuses = {event.get("status") for event in events if event.get("ev") == "status"}
            return Frame("ack" if statuses <= {"connected", "auth_success", "success"} else "failed")
        frame, kind_is_known = Frame(), False
        readers = {"T": self.trade, "Q": self.quote, "A": self.bar, "LULD": self.limits}
        for event in events:
            read = readers.get(event.get("ev"))
            if read is None:
                continue
            kind_is_known = True
            symbol = self.names.get(event.get("T" if event["ev"] == "LULD" else "sym"))
            if symbol is None:
                frame.dropped.append("unknown_symbol")
                continue
            read(frame, symbol, event)
        return frame if kind_is_known else Frame("other")

    def trade(self, frame, symbol, event):
        identity = (event.get("x"), event.get("trfi"), event.get("i"))
        if self.last.get(symbol) == identity:
            return
        self.last[symbol] = identity
        conditions = {int(condition) for condition in event.get("c") or ()}
        if conditions & INELIGIBLE:
            frame.ineligible += 1
            return
        time = frame.read(lambda text: micros(text, 1_000), event.get("t", KEEP))
        size = event.get("ds", event.get("s", KEEP))
        session = "extended" if EXTENDED in conditions else "regular"
        frame.trade(symbol, None, time, event.get("p", KEEP), size, CLEAR, session=session, by_arrival=True)

    def quote(self, frame, symbol, event):
        time = frame.read(lambda text: micros(text, 1_000), event.get("t", KEEP))
        side = lambda price, size: (event.get(price, CLEAR), event.get(size, KEEP))
        frame.quote(symbol, None, time, side("bp", "bs"), side("ap", "as"))
        frame.parts[-1]["by_arrival"] = True

    def bar(self, frame, symbol, event):
        time = frame.read(lambda text: micros(text, 1_000), event.get("e", KEEP))
        volume = event.get("dav", event.get("av", KEEP))
        frame.stats(symbol, None, time, "day", volume, open=event.get("op", KEEP))

    def limits(self, frame, symbol, event):
        indicators = event.get("i") or ()
        if "17" in indicators or "18" in indicators:
            time = frame.read(lambda text: micros(text, 1_000_000_000), event.get("t", KEEP))
            frame.add(symbol, "status", None, time, halted="17" in indicators, ends_with="resume")
