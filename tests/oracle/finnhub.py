"""Finnhub: `trade` frames with a list of trades each, in no order.

The venue's numbers of conditions: "12" is an odd lot, which is never the last price, "24" a trade outside the regular
session. A trade of a stock without conditions has its session by its time. A size of zero says that there is none.
"""

from digits import Unreadable, micros, read_json, us_session
from model import CLEAR, KEEP, Frame

ODD_LOT, EXTENDED = "12", "24"


class Reader:
    def __init__(self, names):
        self.names = names

    def read(self, text):
        message = read_json(text)
        if not isinstance(message, dict):
            raise Unreadable("shape")
        kind = message.get("type")
        if kind == "ping":
            return Frame("heartbeat")
        if kind == "error":
            return Frame("refusal")
        if kind != "trade":
            return Frame("other")
        frame = Frame()
        for trade in sorted(message["data"], key=lambda trade: int(trade["t"])):
            self.trade(frame, trade)
        return frame

    def trade(self, frame, trade):
        symbol = self.names.get(trade.get("s"))
        if symbol is None:
            frame.dropped.append("unknown_symbol")
            return
        conditions = trade.get("c") or []
        if ODD_LOT in conditions:
            frame.ineligible += 1
            return
        time = frame.read(lambda text: micros(text, 1_000), trade.get("t", KEEP))
        size = trade.get("v", KEEP)
        session = "extended" if EXTENDED in conditions else "regular"
        if not conditions and ":" not in trade["s"]:
            session = us_session(time)
        frame.trade(symbol, None, time, trade.get("p", KEEP), CLEAR if size == "0" else size, CLEAR, session=session)
