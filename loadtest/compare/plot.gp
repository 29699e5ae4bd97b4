# Plots three groups of bars from report.jq's data: `cpu`, `latency` and `memory` are its files, `picture` the SVG to write.
set terminal svg size 1200,380 font "sans-serif,13" background "white"
set output picture
set datafile separator tab
set datafile missing "-"
set style data histograms
set style histogram clustered gap 1
set style fill solid noborder
set boxwidth 0.9
set border 3
set tics nomirror out
set grid ytics lc "#dddddd"
set key autotitle columnhead
array colours[7] = ["#1b7f5c", "#9aa0a6", "#a0489b", "#c2403d", "#5b9bd5", "#d9822b", "#3b6fb6"]
set multiplot layout 1,3
set yrange [0:*]
set key top left samplen 1
set title "CPU per delivered event, µs"
plot for [i=2:8] cpu using i:xtic(1) linecolor rgb colours[i-1]
set key off
set logscale y
set title "Latency p99, ms (log)"
set yrange [1:*]
plot for [i=2:8] latency using i:xtic(1) linecolor rgb colours[i-1]
set title "Memory per stream, KiB (log)"
set yrange [0.1:*]
plot for [i=2:8] memory using i:xtic(1) linecolor rgb colours[i-1]
unset multiplot
