# pip install httpx httpx-sse; python ticks.py
import json
import random
import time

import httpx
from httpx_sse import connect_sse

URL = "http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT"
last_id = ""
wait = 1.0
# A heartbeat comes after 15 s of silence: longer silence is a dead connection.
with httpx.Client(timeout=httpx.Timeout(10, read=40)) as client:
    while True:
        try:
            with connect_sse(client, "GET", URL, headers={"Last-Event-ID": last_id}) as source:
                for event in source.iter_sse():
                    last_id = event.id
                    wait = (event.retry or 1_000) / 1_000 if event.event in ("hello", "bye") else wait
                    if event.event == "message":  # the others are hello, heartbeat and bye
                        tick = json.loads(event.data)  # parse_float=decimal.Decimal keeps every digit
                        print(tick["symbol"], tick.get("price"), tick.get("bid"), tick.get("ask"), tick["state"], flush=True)
        except httpx.TransportError:
            pass  # refused, broken, silent, or a proxy's 502
        print("lost; reconnecting", flush=True)
        time.sleep(wait * random.uniform(1, 2))  # random, so that clients do not come back at once after a restart
        wait = min(2 * wait, 16)
