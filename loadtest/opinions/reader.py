"""Reads streams and prints percentiles of now - trade_ts, as the load tester does: an independent opinion."""
import json, selectors, socket, sys, time

host, port, symbol, count, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
poll = selectors.DefaultSelector()
buffers, opened = {}, {}
for _ in range(count):
    s = socket.create_connection((host, port))
    s.sendall(f"GET /v1/stream?symbols={symbol} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    s.setblocking(False)
    buffers[s], opened[s] = b"", time.time_ns() // 1000
    poll.register(s, selectors.EVENT_READ)
latencies, ticks, end = [], 0, time.time() + seconds
while time.time() < end:
    for key, _ in poll.select(0.1):
        s = key.fileobj
        data = s.recv(65536)
        now = time.time_ns() // 1000
        if not data:
            sys.exit("a stream ended")
        *blocks, buffers[s] = (buffers[s] + data).split(b"\n\n")
        for block in blocks:
            lines = block.split(b"\n")
            if any(line.startswith(b"event:") for line in lines):
                continue
            tick = json.loads(next(line for line in lines if line.startswith(b"data: "))[6:])
            ticks += 1
            if tick["kind"] == "trade" and tick.get("recv", 0) >= opened[s] + 100_000:
                latencies.append(now - tick["trade_ts"])
latencies.sort()
at = lambda q: latencies[min(int(q * len(latencies)), len(latencies) - 1)]
print(json.dumps({"ticks": ticks, "count": len(latencies), "p50": at(.5), "p90": at(.9), "p99": at(.99), "max": latencies[-1]}))
