#!/usr/bin/env python3
"""Compares what another program read from a gateway with what the load tester did."""
import argparse, json, sys

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("name")
parser.add_argument("other", type=argparse.FileType())
parser.add_argument("own", type=argparse.FileType())
parser.add_argument("--counts", action="store_true", help="both were there for the same ticks")
parser.add_argument("--within-ms", type=float, required=True, help="how far percentiles of latency may be apart")
args = parser.parse_args()
other, own = json.load(args.other), json.load(args.own)
apart = []
if args.counts:
    print(f"ticks: {args.name} {other['ticks']:,}, load tester {own['streams']['ticks']:,}")
    if other["ticks"] != own["streams"]["ticks"]:
        apart.append("ticks")
for name in ["p50", "p90", "p99"]:
    theirs, ours = other[name], own["latency"][name]
    print(f"latency {name}: {args.name} {theirs / 1000:.2f} ms, load tester {ours / 1000:.2f} ms")
    if abs(theirs - ours) > args.within_ms * 1000:
        apart.append(f"latency {name}")
if apart:
    sys.exit(f"{args.name} and the load tester do not agree on {', '.join(apart)}")
