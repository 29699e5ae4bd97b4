"""Checks of the oracle itself: `python3 -m unittest` in this folder."""

import unittest

from digits import Unreadable, micros, plain, rfc3339
from main import RECEIVED, VENUES, replay
from model import Guard

SECOND = 1_000_000


def run(venue, names, *frames):
    """What is said of each frame, and the states."""
    *said, last = replay(venue, [(RECEIVED, frame) for frame in frames], names)
    return said, last["final"]


class Digits(unittest.TestCase):
    def test_numbers_keep_their_digits(self):
        for came, leaves in {
            "0.00044780": "0.0004478",
            "1E-8": "0.00000001",
            "1000000.0": "1000000",
            "-0": "0",
            "0.0016429999999999999": "0.0016429999999999999",
            "9223372036854775807": "9223372036854775807",
        }.items():
            self.assertEqual(plain(came), leaves)

    def test_other_strings_are_not_numbers(self):
        for text in ("", "NaN", "1.", ".5", "+1", "01", " 1", "1_0", "0x1", None, True, "1e", "٣"):
            with self.assertRaises(Unreadable, msg=repr(text)):
                plain(text)

    def test_what_does_not_fit_is_said_so(self):
        for text in ("9223372036854775808", "1e31", "1e-31", "0.12345678901234567891"):
            with self.assertRaisesRegex(Unreadable, "range"):
                plain(text)

    def test_times(self):
        self.assertEqual(rfc3339("1970-01-01T00:00:01.5Z"), 1_500_000)
        self.assertEqual(rfc3339("1970-01-01T01:00:00.123456789+01:00"), 123_456)
        self.assertEqual(micros("1790928000110", 1_000), 1_790_928_000_110_000)
        for text in ("1970-01-01", "1970-13-01T00:00:00Z", "", "1970-01-01 00:00:00Z"):
            with self.assertRaises(Unreadable):
                rfc3339(text)


class Order(unittest.TestCase):
    def judge(self, *events):
        guard = Guard()
        return [guard.judge(number, time, received)[0] for number, time, received in events]  # the first letter

    def test_only_a_higher_id_or_a_newer_time_moves_a_part(self):
        self.assertEqual(self.judge((5, 10, 0), (5, 10, 0), (4, 10, 0), (6, 9, 0), (2, 11, 0)), list("nllnn"))

    def test_without_ids_equal_times_pass(self):
        self.assertEqual(self.judge((None, 10, 0), (None, 10, 0), (None, 9, 0), (None, None, 0)), list("nnln"))

    def test_rising_low_ids_are_a_restart_after_32_or_ten_seconds(self):
        low = [(number, None, 0) for number in range(1, 33)]
        self.assertEqual(self.judge((100, None, 0), *low), list("nl" + "r" * 30 + "n"))
        self.assertEqual(self.judge((100, None, 0), (1, None, 0), (2, None, 0), (3, None, 10 * SECOND)), list("nlrn"))

    def test_an_id_above_the_highest_ends_the_suspicion(self):
        events = (100, None, 0), (1, None, 0), (2, None, 0), (101, None, 0), (3, None, 0)
        self.assertEqual(self.judge(*events), list("nlrnl"))


class Venues(unittest.TestCase):
    def test_each_has_checks_here(self):
        checked = {name.removeprefix("test_").split("__")[0].replace("_", "-") for name in dir(self)}
        self.assertEqual(set(VENUES) - checked, set())

    def test_kraken__zeros_are_no_quote_and_online_proves_no_data(self):
        online = '{"channel":"status","type":"update","data":[{"system":"online"}]}'
        zeros = (
            '{"channel":"ticker","type":"update","data":[{"symbol":"A/B","bid":0,"bid_qty":0,"ask":1.50,"ask_qty":2,'
            '"timestamp":"1970-01-01T00:00:00.000000Z"}]}'
        )
        said, states = run("kraken", {"A/B": "A-B"}, online, zeros)
        self.assertEqual(said[0]["parts"], [])
        self.assertEqual(states["A-B"], {"ask": "1.5", "ask_size": "2", "state": "live", "trades": 0})

    def test_kraken__of_a_backlog_the_newest_counts(self):
        trade = '{{"symbol":"A/B","side":"buy","price":{0},"qty":1,"trade_id":{0},"timestamp":"2026-01-01T00:00:00Z"}}'
        data = ",".join(trade.format(number) for number in (7, 8, 9))
        said, states = run("kraken", {"A/B": "A-B"}, f'{{"channel":"trade","type":"snapshot","data":[{data}]}}')
        self.assertEqual((len(said[0]["parts"]), states["A-B"]["price"], states["A-B"]["trades"]), (1, "9", 1))

    def test_kraken__a_halt_ends_with_online(self):
        status = '{{"channel":"status","type":"update","data":[{{"system":"{}"}}]}}'.format
        for systems, state in ((["maintenance"], "halted"), (["maintenance", "online"], "live")):
            _, states = run("kraken", {"A/B": "A-B"}, *map(status, systems))
            self.assertEqual(states["A-B"]["state"], state)

    def test_coinbase__trades_are_turned_and_the_side_is_the_makers(self):
        trade = '{{"product_id":"A-B","trade_id":"{0}","price":"{0}","size":"1","time":"2026-01-01T00:00:00Z","side":"BUY"}}'
        frame = (
            '{"channel":"market_trades","timestamp":"2026-01-01T00:00:00Z","sequence_num":0,"events":[{"type":"update",'
            f'"trades":[{trade.format(2)},{trade.format(1)}]}}]}}'
        )
        said, states = run("coinbase", {"A-B": "A-B"}, frame)
        self.assertEqual([part["price"] for part in said[0]["parts"]], ["1", "2"])
        self.assertEqual((states["A-B"]["side"], states["A-B"]["trades"]), ("sell", 2))

    def test_coinbase__a_hole_is_a_gap(self):
        beat = '{{"channel":"heartbeats","timestamp":"2026-01-01T00:00:00Z","sequence_num":{},"events":[]}}'.format
        said, _ = run("coinbase", {"A-B": "A-B"}, *map(beat, (0, 1, 3)))
        self.assertEqual([frame["kind"] for frame in said], ["heartbeat", "heartbeat", "gap"])

    def test_okx__an_empty_side_clears(self):
        quote = '{{"arg":{{"channel":"bbo-tbt","instId":"A-B"}},"data":[{{"asks":[],"bids":{},"ts":"{}"}}]}}'.format
        frames = quote('[["5","1","0","2"]]', 1790928000110), quote("[]", 1790928000120)
        self.assertEqual(run("okx", {"A-B": "A-B"}, *frames)[1]["A-B"].get("bid"), None)
        self.assertEqual(run("okx", {"A-B": "A-B"}, *frames[::-1])[1]["A-B"].get("bid"), None, "the older one is late")

    def test_bybit_spot__an_empty_side_of_a_delta_is_unchanged(self):
        book = (
            '{{"topic":"orderbook.1.AB","ts":1790928000110,"type":"{}","data":{{"s":"AB","b":{},"a":[],"u":{}}}}}'.format
        )
        frames = book("snapshot", '[["5","1"]]', 7), book("delta", "[]", 8), book("delta", '[["5","0.0"],["4","3"]]', 9)
        prices = [run("bybit-spot", {"AB": "A-B"}, *frames[:count])[1]["A-B"]["bid"] for count in (1, 2, 3)]
        self.assertEqual(prices, ["5", "5", "4"])

    def test_bybit_linear__what_a_delta_lacks_is_unchanged(self):
        ticker = '{{"topic":"tickers.AB","type":"delta","data":{{"symbol":"AB",{}}},"cs":{},"ts":1790928000110}}'.format
        frames = ticker('"bid1Price":"5","bid1Size":"1"', 1), ticker('"ask1Price":"6"', 2), ticker('"markPrice":"7"', 3)
        said, states = run("bybit-linear", {"AB": "A-B"}, *frames)
        self.assertEqual((states["A-B"]["bid"], states["A-B"]["ask"], said[2]["parts"]), ("5", "6", []))

    def test_bybit_inverse__a_block_trade_is_not_shown(self):
        trade = '{"topic":"publicTrade.AB","ts":1,"data":[{"T":1790928000110,"s":"AB","S":"Buy","v":"1","p":"5","BT":true}]}'
        said, states = run("bybit-inverse", {"AB": "A-B"}, trade)
        self.assertEqual((said[0]["ineligible"], states["A-B"]["trades"]), (1, 0))

    def test_bitstamp__the_strings_count(self):
        trade = (
            '{"data":{"id":1,"amount":1e-08,"amount_str":"1E-8","price":5.000000002,"price_str":"5.00","type":1,'
            '"microtimestamp":"1790928000525001"},"channel":"live_trades_ab","event":"trade"}'
        )
        state = run("bitstamp", {"ab": "A-B"}, trade)[1]["A-B"]
        self.assertEqual((state["price"], state["size"], state["side"]), ("5", "0.00000001", "sell"))

    def test_binance__a_quote_has_no_kind_and_a_late_one_changes_nothing(self):
        quote = '{{"u":{},"s":"AB","b":"5.0","B":"1","a":"{}","A":"1"}}'.format
        said, states = run("binance", {"AB": "A-B"}, quote(9, "6"), quote(8, "7"))
        self.assertEqual((said[1]["late"], states["A-B"]["ask"]), (["A-B quote"], "6"))

    def test_binance_usdm__an_insurance_fund_does_not_trade(self):
        trade = '{"e":"trade","T":1790928000110,"s":"AB","t":1,"p":"5","q":"1","X":"INSURANCE_FUND","m":true}'
        self.assertEqual(run("binance-usdm", {"AB": "A-B"}, trade)[0][0]["ineligible"], 1)

    def test_alpaca__an_odd_lot_is_not_the_last_price_and_a_correction_replaces_it(self):
        trade = '{{"T":"t","S":"A","i":{},"x":"V","p":{},"s":1,"c":["@"{}],"t":"2026-01-01T15:00:00Z"}}'.format
        correction = '[{"T":"c","S":"A","x":"V","oi":1,"ci":3,"cp":5.5,"cs":2,"cc":["@"]}]'
        frames = "[" + trade(1, 5, "") + "," + trade(2, 9, ',"I"') + "]"
        said, states = run("alpaca", {"A": "A"}, frames, correction)
        self.assertEqual((said[0]["ineligible"], states["A"]["price"], states["A"]["size"]), (1, "5.5", "2"))

    def test_alpaca_crypto__times_are_the_order_and_equal_ones_pass(self):
        trade = '[{{"T":"t","S":"A/B","p":{},"s":1e-8,"t":"2026-01-01T00:00:0{}Z","i":{},"tks":"S"}}]'.format
        said, states = run("alpaca-crypto", {"A/B": "A-B"}, trade(5, 2, 9), trade(6, 2, 8), trade(7, 1, 10))
        self.assertEqual((said[2]["late"], states["A-B"]["price"]), (["A-B trade"], "6"))
        self.assertEqual((states["A-B"]["side"], states["A-B"]["size"]), ("sell", "0.00000001"))

    def test_finnhub__trades_are_sorted_and_an_odd_lot_is_not_the_last_price(self):
        trade = '{{"c":[{}],"p":{},"s":"A","t":{},"v":{}}}'.format
        trades = trade('"1"', 5, 1790928000120, 100), trade("", 4, 1790928000110, 0), trade('"12"', 9, 1790928000130, 1)
        said, states = run("finnhub", {"A": "A"}, f'{{"data":[{",".join(trades)}],"type":"trade"}}')
        self.assertEqual([part["price"] for part in said[0]["parts"]], ["4", "5"])
        self.assertEqual((said[0]["ineligible"], states["A"]["price"], states["A"]["size"]), (1, "5", "100"))

    def test_massive__a_repeated_trade_is_one_and_only_the_days_volume_counts(self):
        trade = '{"ev":"T","sym":"A","i":"7","x":4,"p":5,"s":40,"t":1790928000110,"ds":"40.5"}'
        odd = '{"ev":"T","sym":"A","i":"8","x":4,"p":9,"s":1,"c":[14,37],"t":1790928000111}'
        bar = '{"ev":"A","sym":"A","v":10,"av":1000,"op":4,"o":6,"h":7,"l":5,"e":1790928001000}'
        said, states = run("massive", {"A": "A"}, f"[{trade},{trade},{odd},{bar}]")
        shown = states["A"]
        self.assertEqual((said[0]["ineligible"], shown["trades"], shown["size"]), (1, 1, "40.5"))
        self.assertEqual((shown["volume"], shown["open"], shown.get("high")), ("1000", "4", None))

    def test_massive__limits_halt_and_reopen(self):
        limits = '[{{"ev":"LULD","T":"A","i":[{}],"t":{}}}]'.format
        halted, reopened = limits(17, 1790928000110000000), limits(18, 1790928000120000000)
        self.assertEqual(run("massive", {"A": "A"}, halted)[1]["A"]["state"], "halted")
        self.assertEqual(run("massive", {"A": "A"}, halted, reopened)[1]["A"]["state"], "live")

    def test_tiingo__three_elements_are_a_price_and_sixteen_a_quote(self):
        data = '{{"messageType":"A","service":"iex","data":{}}}'.format
        price = data('["2026-01-02T15:00:00Z","a",5.0]')
        late = data('["2026-01-02T21:30:00Z","a",7.0]')
        quote = data('["Q","2026-01-02T15:00:01Z",1767366001000000000,"a",1,4,5,6,2,null,null,0,0,null,null,null]')
        _, states = run("tiingo", {"a": "A"}, price, quote, late)
        self.assertEqual((states["A"]["price"], states["A"]["bid"], states["A"]["ask_size"]), ("5", "4", "2"))
        self.assertEqual(states["A"]["ext_price"], "7")

    def test_twelvedata__a_price_counts_once_in_its_second(self):
        price = '{{"event":"price","symbol":"A","timestamp":{},"price":{}}}'.format
        frames = price(1767225601, 5), price(1767225601, 5), price(1767225601, 6), price(1767225602, 6)
        self.assertEqual(run("twelvedata", {"A": "A"}, *frames)[1]["A"]["trades"], 3)

    def test_twelvedata__an_exchange_tells_two_stocks_of_one_name_apart(self):
        granted = '{"event":"subscribe-status","success":[{"symbol":"A","exchange":"TSX"},{"symbol":"A","exchange":"NYSE"}]}'
        price = '{{"event":"price","symbol":"A","exchange":"{}","timestamp":1767366001,"price":{}}}'.format
        frames = granted, price("TSX", 5), price("NYSE", 6), price("Toronto", 7)
        _, states = run("twelvedata", {"A": "A", "A:TSX": "A.TO"}, *frames)
        self.assertEqual((states["A.TO"]["price"], states["A"]["price"]), ("5", "6"))


if __name__ == "__main__":
    unittest.main()
