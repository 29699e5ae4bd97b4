"""Prints each tick of a stream as a line: {"symbol", "seq", "data"}."""

import json
import sys

import httpx
from httpx_sse import connect_sse

with httpx.Client(timeout=None, trust_env=False) as client, connect_sse(client, "GET", sys.argv[1]) as source:
    for event in source.iter_sse():
        if event.event == "message":
            tick = json.loads(event.data)
            print(json.dumps({"symbol": tick["symbol"], "seq": tick["seq"], "data": event.data}), flush=True)
