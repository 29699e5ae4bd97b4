# pip install httpx-sse; python ticks.py
import json

import httpx
from httpx_sse import connect_sse

URL = "http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT"
# A heartbeat comes every 15 s: longer silence is a lost connection. Then connect again, with the last event.id as Last-Event-ID.
with httpx.Client(timeout=httpx.Timeout(10, read=40)) as client, connect_sse(client, "GET", URL) as source:
    for event in source.iter_sse():
        if event.event == "message":  # the others are hello, heartbeat and bye
            tick = json.loads(event.data)  # parse_float=decimal.Decimal keeps every digit
            print(tick["symbol"], tick.get("price"), tick.get("bid"), tick.get("ask"), tick["state"], flush=True)
