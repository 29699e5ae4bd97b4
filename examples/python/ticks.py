# pip install httpx-sse; python ticks.py
import json
import random
import time

import httpx
from httpx_sse import connect_sse

URL = "http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT"
last_id = ""
# A heartbeat comes every 15 s: longer silence is a lost connection.
with httpx.Client(timeout=httpx.Timeout(10, read=40)) as client:
    while True:
        try:
            with connect_sse(client, "GET", URL, headers={"Last-Event-ID": last_id}) as source:
                for event in source.iter_sse():
                    last_id = event.id
                    if event.event == "message":  # the others are hello, heartbeat and bye
                        tick = json.loads(event.data)  # parse_float=decimal.Decimal keeps every digit
                        print(tick["symbol"], tick.get("price"), tick.get("bid"), tick.get("ask"), tick["state"], flush=True)
        except httpx.TransportError:
            pass  # refused, broken off, silent
        print("lost; it comes back", flush=True)
        time.sleep(random.uniform(1.5, 4))  # at random, so that a restart brings no storm
