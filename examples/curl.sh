#!/bin/sh
# Each tick is one line of JSON behind "data: ". The first event, hello, lists the symbols of the stream.
curl --no-buffer --silent 'http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT'
