# Reads the results of rounds (LOAD.SERVER.ROUND.json) and prints the medians: a Markdown table, or gnuplot's data of the measure
# that `plot` names.

def median: map(select(. != null)) | sort | if . == [] then null else (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2 end;

# Three significant figures.
def figures: if . == null then "–" elif . >= 100 then round elif . >= 10 then . * 10 | round / 10 else . * 100 | round / 100 end | tostring;

def servers: ["tickfan", "floor", "nchan", "centrifugo", "mercure", "axum", "express"];

# A measure: its name, its value of the server and of the floor, its unit and how many raw units make one; `ratio` marks those of
# which less is better.
def cpu: { name: "CPU per event", of: (.gateway.cpu_micros_per_tick), floor: .floor.cpu_micros_per_tick, unit: "µs", by: 1, ratio: true };
def latency($p): { name: "latency \($p)", of: .latency[$p], floor: .floor.latency[$p], unit: "ms", by: 1000, ratio: true };

# The load tester measures the latency of trades that are younger than their stream. If a server is so far behind that it sends
# none of those within the 20 s of the load, its latency is more than that.
def overload_millis: 20000;
def latency_or_more($p): latency($p) | .of //= infinite;
def is_more: . != null and . > 1e300;

def memory: { name: "memory per stream", of: .gateway.memory_per_stream, unit: "KiB", by: 1024, ratio: true };
def reported($load):
  if $load == "overload" then
    latency_or_more("p50"), latency_or_more("p99"),
    { name: "memory growth", of: .gateway.memory_growth, unit: "MiB", by: 1048576 },
    { name: "memory at most", of: .gateway.memory_max, unit: "MiB", by: 1048576, ratio: true },
    { name: "events delivered", of: .ticks_per_second, unit: "k/s", by: 1000 },
    { name: "streams not opened, or lost", of: (([.streams.asked - .streams.opened, 0] | max) + .streams.lost), unit: "", by: 1 }
  else cpu, latency("p50"), latency("p99"), memory end;

# The measures of a run, each as {load, server, place, name, unit, ratio, value}.
def measures:
  . as { $load, $server, $run }
  | [$run | reported($load)] | to_entries[] | .key as $place | .value as $measure
  | ($measure | { name, unit, ratio }) + { $load, $place }
  | . + { server: $server, value: ($measure.of | if . == null then null else . / $measure.by end) },
    (select($server == "tickfan" and $measure.floor != null) | . + { server: "floor", value: ($measure.floor / $measure.by) });

[inputs | { run: ., file: (input_filename | split("/") | last | split(".")) } | { load: .file[0], server: .file[1], run: .run } | measures]
| group_by([.load, .place])
| map(.[0] + { rounds: (map(select(.server == "tickfan")) | length), values: (group_by(.server) | map({ (.[0].server): (map(.value) | median) }) | add) })
| map(. + { order: ({ hot: 0, watchlists: 1, overload: 2 }[.load]) }) | sort_by([.order, .place])
| if $plot != "" then
    (["load"] + servers | join("\t")),
    (.[] | select(.name == $plot) | [.load, (.values[servers[]] | if is_more then overload_millis else . // "-" end | tostring)] | join("\t"))
  else
    "| load | measure | " + (servers | join(" | ")) + " |",
    "|---|---|" + (servers | map("---|") | add),
    (.[] | . as $row
      | [.load, .name,
         (servers[] as $server | $row.values[$server] as $value
           | ("\($value | figures) \($row.unit)" | rtrimstr(" ")) as $shown
           | if $value == null then "–"
             elif $value | is_more then "**over \(overload_millis / $row.values.tickfan | figures) ×** over \(overload_millis) ms"
             elif $row.ratio and $server != "tickfan" and $row.values.tickfan > 0 then "**\($value / $row.values.tickfan | figures) ×** \($shown)"
             else $shown end)]
      | "| " + join(" | ") + " |"),
    "",
    "Rounds: " + (map({ load, rounds }) | unique | map("\(.load) \(.rounds)") | join(", ")) + "."
  end
