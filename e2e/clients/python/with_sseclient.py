"""Prints each tick of a stream as a line: {"symbol", "seq", "data"}."""

import json
import sys

import requests
import sseclient

response = requests.get(sys.argv[1], stream=True, headers={"Accept": "text/event-stream"})
# Byte by byte: iterated otherwise, requests waits until a chunk is full.
for event in sseclient.SSEClient(response.iter_content(chunk_size=1)).events():
    if event.event == "message":
        tick = json.loads(event.data)
        print(json.dumps({"symbol": tick["symbol"], "seq": tick["seq"], "data": event.data}), flush=True)
