"""What a frame says, and what a symbol's state is after it. The rules' numbers are those of ARCHITECTURE.md."""

from digits import Unreadable, plain

EARLIEST = 631_152_000_000_000  # 1990 in µs: an earlier time is a placeholder
AHEAD_MAX = 60_000_000  # a time further ahead of our clock is wrong
KEEP = object()  # the frame does not have the field
CLEAR = None  # the frame says that the value is absent


class Frame:
    """What one frame says.

    `kind` is `data`, or why it has no market data: `ack`, `refusal`, `heartbeat`, `closing`, `gap`, `failed`, or `other`
    for a channel that no feed subscribes to.
    """

    def __init__(self, kind="data"):
        self.kind = kind
        self.parts = []  # oldest first
        self.dropped = []  # the reasons
        self.ineligible = 0  # trades that may not set the last price

    def read(self, reader, value):
        """A field by one of the functions in `digits`. One that is unreadable is cleared, and counted."""
        if value is KEEP:
            return KEEP
        try:
            return reader(value)
        except Unreadable as error:
            self.dropped.append(error.args[0])
            return CLEAR

    def amount(self, value):
        """A size or a volume. An empty string and `null` say that there is none."""
        return CLEAR if value in ("", None) else self.read(plain, value)

    def price(self, value):
        """A price. Zero says that there is none; a price below zero is none either, and counted."""
        number = self.amount(value)
        if number in (KEEP, CLEAR) or not number.startswith("-") and number != "0":
            return number
        if number != "0":
            self.dropped.append("price")
        return CLEAR

    def required(self, value):
        """A field that such a frame always has: its absence is counted."""
        if value is KEEP:
            self.dropped.append("missing")
            return CLEAR
        return value

    def word(self, words, value):
        """One of a few words. Any other is counted, and says nothing."""
        if value is KEEP or value in words:
            return self.required(words.get(value, KEEP))
        self.dropped.append("word")
        return CLEAR

    def side_of_quote(self, price, size):
        """A side of the book. Without a price its size means nothing."""
        price, size = self.price(price), self.amount(size)
        return (price, CLEAR) if price is CLEAR else (price, size)

    def add(self, symbol, part, number=None, time=None, **fields):
        """Adds a part, unless it sets and clears nothing. `number` is the venue's id of it."""
        fields = {name: value for name, value in fields.items() if value is not KEEP}
        if any(name != "window" for name in fields):
            number, time = (None if value in (KEEP, CLEAR) else value for value in (number, time))
            if time is not None and time < EARLIEST:
                time = None
            self.parts.append({"symbol": symbol, "part": part, "id": number, "time": time, **fields})

    def trade(self, symbol, number, time, price, size, side, **more):
        """A trade. One at a price of zero or below is dropped; where the price is unreadable, it is unknown."""
        price, size = self.required(self.amount(price)), self.required(self.amount(size))
        if price is not CLEAR and (price == "0" or price.startswith("-")):
            self.dropped.append("price")
            return
        self.add(symbol, "trade", number, time, price=price, size=size, side=side, **more)

    def quote(self, symbol, number, time, bid, ask):
        """The best bid and ask, each a pair of price and size."""
        bid, bid_size = self.side_of_quote(*bid)
        ask, ask_size = self.side_of_quote(*ask)
        self.add(symbol, "quote", number, time, bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size)

    def stats(self, symbol, number, time, window, volume, **prices):
        """The venue's figures over a window."""
        prices = {name: self.price(value) for name, value in prices.items()}
        self.add(symbol, "stats", number, time, window=window, volume=self.amount(volume), **prices)


class Guard:
    """Rule 8: only newer moves a part."""

    def __init__(self):
        self.highest = self.latest = None  # id and time, kept apart
        self.low = None  # low ids in a row: [last, count, time of the first]

    def judge(self, number, time, received):
        """`newer`, `late`, or `restarting` where the venue seems to number its events from the start again."""
        later = time is not None and self.latest is not None and time > self.latest
        earlier = time is not None and self.latest is not None and time < self.latest
        if number is None:
            newer = not earlier
        else:
            newer = self.highest is None or number > self.highest or later
        if not newer and (number is None or earlier or not self.is_restarted(number, received)):
            return "restarting" if self.low and self.low[1] > 1 else "late"
        if number is not None:
            self.highest = number
        if time is not None:
            self.latest = max(time, self.latest or time)
        self.low = None
        return "newer"

    def is_restarted(self, number, received):
        """32 rising low ids, or three and ten seconds: the venue's engine has restarted."""
        if number * 2 > self.highest:
            return False
        if self.low and self.low[0] // 2 < number <= self.low[0]:
            return False  # late itself
        if self.low and number > self.low[0]:
            self.low[0] = number
            self.low[1] += 1
        else:
            self.low = [number, 1, received]
        _last, count, since = self.low
        return count >= 32 or count >= 3 and received - since >= 10_000_000


TRADE = ("price", "size", "side")
EXT = ("ext_price", "ext_size", "ext_side")
FIELDS = {
    "trade": TRADE,
    "quote": ("bid", "bid_size", "ask", "ask_size"),
    "stats": ("window", "open", "high", "low", "volume", "prev_close"),
}


class State:
    """The latest known state of a symbol."""

    def __init__(self):
        self.values = {}
        self.trades = 0
        self.guards = {}
        self.known = set()
        self.stale = set()
        self.is_out = False  # every part that may age is stale
        self.halted = None  # None, or "trade" or "resume": what ends the halt
        self.keys = {}  # of the trades shown: what a correction would call them

    def apply(self, part, received):
        """Merges a part. Returns whether it was late."""
        name = part["part"]
        if name == "correction":
            self.correct(part)
            return False
        time = part["time"]
        if time is not None and time > received + AHEAD_MAX:
            time = None
        verdict = "newer"
        if not part.get("by_arrival"):
            verdict = self.guards.setdefault(name, Guard()).judge(part["id"], time, received)
        if verdict == "restarting":
            self.age(name)
        if verdict != "newer" or not getattr(self, name)(part, time):
            return verdict != "newer"
        self.known.add(name)
        self.stale.discard(name)
        self.is_out = False
        return False

    def merge(self, part, fields, time_field, time):
        """Sets and clears fields. The time is that of the last change."""
        before = dict(self.values)
        for field in fields:
            source = field.removeprefix("ext_")
            if source in part:
                self.values[field] = part[source]
        if {**before, **self.values} != before or part["part"] == "trade":
            self.values[time_field] = time

    def trade(self, part, time):
        shown, ext = self.values.get("trade_ts"), self.values.get("ext_ts")
        if part.get("session") == "extended":
            if time is not None and shown is not None and time < shown:
                return False
            self.merge(part, EXT, "ext_ts", time)
        else:
            self.merge(part, TRADE, "trade_ts", time)
            if time is None or ext is None or time >= ext:
                for field in (*EXT, "ext_ts"):
                    self.values.pop(field, None)
                self.keys.pop("extended", None)
        self.keys[part.get("session", "regular")] = part.get("key")
        self.trades += 1
        if self.halted == "trade":
            self.halted = None
        return True

    def quote(self, part, time):
        self.merge(part, FIELDS["quote"], "quote_ts", time)
        return True

    def stats(self, part, time):
        self.merge(part, FIELDS["stats"], "stats_ts", time)
        return True

    def status(self, part, _time):
        self.halted = part["ends_with"] if part["halted"] else None
        return True

    def correct(self, part):
        """A correction of a trade that is shown replaces it, a cancel clears it."""
        for session, fields in (("regular", TRADE), ("extended", EXT)):
            if self.keys.get(session) == part["of"]:
                if part["price"] is CLEAR or part["session"] != session:
                    for field in (*fields, "trade_ts" if session == "regular" else "ext_ts"):
                        self.values.pop(field, None)
                    self.keys[session] = None
                else:
                    self.values[fields[0]], self.values[fields[1]] = part["price"], part["size"]
                    self.keys[session] = part["key"]
                return

    def age(self, name):
        """The part is stale until its own next update; the symbol is, where nothing else lives."""
        if name in self.known:
            self.stale.add(name)
            self.is_out = not self.known - {"status"} - self.stale

    def outage(self):
        """The connection is lost or gapped."""
        for name in self.known - {"status"}:
            self.age(name)
        for guard in self.guards.values():
            guard.low = None
            if guard.latest is None:
                guard.highest = None

    def name(self):
        """The first that holds."""
        holds = [("waiting", not self.known), ("stale", self.is_out), ("halted", self.halted is not None)]
        return next((name for name, is_so in holds if is_so), "live")

    def shown(self):
        """All that is known, by the names of the wire."""
        values = {name: value for name, value in self.values.items() if value is not None}
        return {**values, "state": self.name(), "trades": self.trades}
