# gnuplot docs/images/rounds.gp: the table "Rests and intervals" of docs/performance.md as curves, in rounds.svg beside it.
set terminal svg size 900,360 font "sans-serif,12" background "white"
set output "docs/images/rounds.svg"
$watchlists_fixed << EOD
0s 18 3.19
10ms 20 2.47
20ms 26 1.98
EOD
$watchlists_rests << EOD
1x10ms 24 2.59
2x10ms 21 2.31
4x10ms 20 2.41
2x20ms 28 2.10
4x20ms 33 2.07
EOD
$hot_fixed << EOD
0s 3.6 2.95
5ms 6.8 2.93
10ms 12 1.15
20ms 24 0.87
EOD
$hot_rests << EOD
½x10ms 4.5 2.88
1x10ms 9.4 2.48
2x10ms 15 1.45
4x10ms 16 1.10
2x20ms 24 1.33
EOD
set multiplot layout 1,2
set xrange [0:40]
set yrange [0:3.6]
set xlabel "p99, ms"
set ylabel "processor time of a tick, µs"
set grid ytics lc rgb "#dddddd"
set key top right
do for [load in "watchlists hot"] {
  set title load eq "hot" ? "one symbol, 1,000 streams, 200,000/s" : "watchlists, 200,000/s"
  plot "$".load."_fixed" using 2:3 with linespoints pt 7 lc rgb "#3b6fb6" title "fixed interval", \
    "" using 2:3:1 with labels offset 0,1 notitle, \
    "$".load."_rests" using 2:3 with points pt 9 ps 1.2 lc rgb "#1b7f5c" title "rests", \
    "" using 2:3:1 with labels left offset 1.2,-0.4 tc rgb "#1b7f5c" notitle
}
unset multiplot
