# pip install httpx-sse; python ticks.py
import json
import random
import time

import httpx
from httpx_sse import connect_sse

URL = "http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT"
last_id = ""
# A heartbeat comes after 15 s of silence: longer silence is a dead connection.
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
            pass  # refused, broken, or silent
        print("lost; reconnecting", flush=True)
        time.sleep(random.uniform(1.5, 4))  # random, so that clients do not come back at once after a restart
