#!/bin/sh
# Each tick is one line of JSON behind "data: "; the first event, hello, tells what the stream carries.
curl --no-buffer --silent 'http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT'
