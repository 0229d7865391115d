# Draw what bench/core.sh measured.  Usage: gnuplot -c plots.gp DATA_DIR OUT_DIR
# A missing value is written "-" in the data.
data = ARG1
out = ARG2
set terminal svg size 720,440 font "sans,13" background "white"
set datafile separator "\t"
set datafile missing "-"
set key left top
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
set style line 1 lc rgb "#1f77b4" lw 2 pt 7 ps 0.7
set style line 2 lc rgb "#d62728" lw 2 pt 5 ps 0.7
set style line 3 lc rgb "#1f77b4" lw 2 dt 2 pt 6 ps 0.7
set style line 4 lc rgb "#d62728" lw 2 dt 2 pt 4 ps 0.7
set style line 5 lc rgb "#1f77b4" lw 1 dt 3 pt 8 ps 0.7
set style line 6 lc rgb "#d62728" lw 1 dt 3 pt 10 ps 0.7
only(abi, column) = stringcolumn(1) eq abi ? column : NaN

set output out."/ports.svg"
set title "One more port, when there are N: instructions"
set xlabel "open ports"
set logscale xy
set format y "10^{%T}"
set xrange [50:200000]
set yrange [100:10000000]
plot data."/ports.tsv" using (only("2l", $2)):3 with linespoints ls 1 title "2-level", \
     "" using (only("fifo", $2)):3 with linespoints ls 3 title "FIFO", \
     "" using (only("2l", $2)):5 with points ls 2 title "Xen 4.17, 2-level", \
     "" using (only("fifo", $2)):5 with points ls 4 title "Xen 4.17, FIFO"

set output out."/collect.svg"
set title "Collecting: instructions an event"
set xlabel "events pending at once"
unset logscale y
set format y "%g"
set xrange [0.8:200000]
set yrange [0:*]
set key right top
plot data."/collect.tsv" using (only("2l", $2)):3 with linespoints ls 1 title "2-level", \
     "" using (only("fifo", $2)):3 with linespoints ls 2 title "FIFO"

set output out."/threads.svg"
set title "Sends of several threads, each on its own channel"
set xlabel "threads"
set ylabel "million sends a second"
unset logscale
set xrange [0.5:2.5]
set xtics 1
set yrange [0:*]
set key left top
set key font ",11"
plot data."/threads.tsv" using (only("2l-pending", $2)):3 with linespoints ls 1 title "2-level, pending already", \
     "" using (only("2l-fresh", $2)):3 with linespoints ls 3 title "2-level, fresh", \
     "" using (only("2l-same", $2)):3 with linespoints ls 5 title "2-level, fresh, to one vCPU", \
     "" using (only("fifo-pending", $2)):3 with linespoints ls 2 title "FIFO, pending already", \
     "" using (only("fifo-fresh", $2)):3 with linespoints ls 4 title "FIFO, fresh", \
     "" using (only("fifo-same", $2)):3 with linespoints ls 6 title "FIFO, fresh, to one queue"
