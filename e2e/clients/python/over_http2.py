"""Asks for an answer and for a stream over HTTP/2: prints {"http", "status", "quotes"} of the answer, and each tick of the
stream as a line: {"symbol", "seq", "data"}. It ends with the stream."""

import json
import ssl
import sys

import h2.exceptions
import httpx
from httpx_sse import EventSource

answer_url, stream_url, ca = sys.argv[1:]
trust = ssl.create_default_context(cafile=ca)
with httpx.Client(http2=True, verify=trust, timeout=None, trust_env=False) as client:
    answer = client.get(answer_url)
    http = answer.http_version.removeprefix("HTTP/")
    print(json.dumps({"http": http, "status": answer.status_code, "quotes": len(answer.json()["quotes"])}), flush=True)
    try:
        with client.stream("GET", stream_url, headers={"accept": "text/event-stream"}) as response:
            for event in EventSource(response).iter_sse():
                if event.event == "message":
                    tick = json.loads(event.data)
                    print(json.dumps({"symbol": tick["symbol"], "seq": tick["seq"], "data": event.data}), flush=True)
    except (httpx.RemoteProtocolError, h2.exceptions.ProtocolError) as error:
        # For h2 a connection is over when the gateway announces its stop: what still comes, such as `bye`, is an error.
        if "ConnectionTerminated error_code:0" not in str(error) and "in state ConnectionState.CLOSED" not in str(error):
            raise
