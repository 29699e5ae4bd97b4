#!/usr/bin/env python3
"""An independent reader of recorded venue frames, against which the gateway's readers are checked.

    tests/oracle/main.py kraken session.jsonl --symbols BTC-USD=BTC/USD ETH-USD=ETH/USD

Prints a JSON line for each frame: what it is, the parts that it moves, and which of these are late. The last line has the
state of each symbol. A line of the file is a frame, or `<time of receipt, ns since 1970> <frame>`; it may be a .gz.

It was written from the venues' documentation and knows nothing of the gateway's code. It is short and slow, and says
what the gateway's readers must say.
"""

import argparse
import gzip
import json

import alpaca
import binance
import bitstamp
import bybit
import coinbase
import finnhub
import kraken
import massive
import okx
import tiingo
import twelvedata
from digits import Unreadable
from model import Frame, State

VENUES = {
    "alpaca": alpaca.Reader,
    "alpaca-crypto": alpaca.Coins,
    "binance": binance.Spot,
    "binance-usdm": binance.UsdM,
    "bitstamp": bitstamp.Reader,
    "bybit-spot": bybit.Spot,
    "bybit-linear": bybit.Derivatives,
    "bybit-inverse": bybit.Derivatives,
    "coinbase": coinbase.Reader,
    "finnhub": finnhub.Reader,
    "kraken": kraken.Reader,
    "massive": massive.Reader,
    "okx": okx.Reader,
    "tiingo": tiingo.Reader,
    "twelvedata": twelvedata.Reader,
}
RECEIVED = 1_893_456_000_000_000  # 2030: when a frame without a time of receipt came


def lines(path):
    """The frames with their times of receipt in µs."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", errors="replace") as file:
        for line in file.read().split("\n"):
            head, _, rest = line.partition(" ")
            if head.isdigit() and rest:
                yield int(head) // 1_000, rest
            elif line:
                yield RECEIVED, line


def replay(venue, frames, names):
    """Yields what each frame says, and at the end the states. `names` are the venue's names, with our symbols."""
    reader = VENUES[venue](names)
    states = {symbol: State() for symbol in names.values()}
    for received, text in frames:
        try:
            frame = reader.read(text)
        except Unreadable as error:
            frame = Frame("dropped")
            frame.dropped.append(error.args[0])
        if frame.kind == "gap":
            for state in states.values():
                state.outage()
        late = [f"{part['symbol']} {part['part']}" for part in frame.parts if states[part["symbol"]].apply(part, received)]
        yield {
            "kind": frame.kind,
            "parts": frame.parts,
            "late": late,
            "ineligible": frame.ineligible,
            "dropped": frame.dropped,
        }
    yield {"final": {symbol: state.shown() for symbol, state in states.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("venue", choices=VENUES)
    parser.add_argument("file")
    parser.add_argument("--symbols", nargs="+", required=True, metavar="SYMBOL=NAME", help="our name and the venue's")
    options = parser.parse_args()
    names = {name: symbol for symbol, _, name in (pair.partition("=") for pair in options.symbols)}
    for line in replay(options.venue, lines(options.file), names):
        print(json.dumps(line))


if __name__ == "__main__":
    main()
