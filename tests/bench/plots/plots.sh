#!/bin/bash
# SPDX-License-Identifier: MIT
#
# plots.sh -- cost against size, as SVG.
#
#   plots.sh SWEEP.json FOLDER     of `ambit-bench --sweep --json`
#
# Needs gnuplot.  A curve that was not measured is left out.
set -u
json=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v gnuplot >/dev/null; then
    echo "plots: there is no gnuplot here (Debian: gnuplot-nox); nothing is" \
        "drawn.  The figures are in $json"
    exit 1
fi
mkdir -p "$out/points"
rm -f "$out"/points/* "$out"/*.svg
awk -v out="$out/points" -f "$here/points.awk" "$json" || exit 1
machine=$(cat "$out/points/machine" 2>/dev/null)

# The y axis around all values of the files, marked at 1, 2, 5, 10, ...; of two
# decades at least, so that what is nearly flat looks so.
axis() # axis FILES...
{
    awk '
    $2 > 0 && (low == "" || $2 < low) { low = $2 }
    $2 > high { high = $2 }
    function mark(i) { # ... 7 -> 1, 8 -> 2, 9 -> 5, 10 -> 10, 11 -> 20 ...
        return substr("125", i % 3 + 1, 1) * 10 ^ (int(i / 3) - 2)
    }
    END {
        while (mark(from + 1) <= low) { from++ }
        for (to = from; mark(to) < high; to++) { }
        while (mark(to) / mark(from) < 100) {
            if (++turn % 2 && from > 0) { from-- } else { to++ }
        }
        for (i = from; i <= to; i++) {
            marks = marks (i > from ? ", " : "") \
                sprintf("\"%d\" %g", mark(i), mark(i))
        }
        printf "set yrange [%g:%g]\nset ytics (%s)\n", mark(from), mark(to),
            marks
    }' "$@"
}

# plot NAME TITLE XLABEL TENS|TWOS CURVE LABEL [CURVE LABEL...]
plot()
{
    local name=$1 title=$2 xlabel=$3 scale=$4 lines="" files=() k=0
    local colours=(0072b2 d55e00 009e73 cc79a7)
    shift 4
    while [ $# -gt 1 ]; do
        local dat=$out/points/$1.dat
        if [ -s "$dat" ]; then
            files+=("$dat")
            lines+="${lines:+, }'$dat' using 1:2 with linespoints lw 2 pt 7 "
            lines+="ps 0.6 lc rgb '#${colours[k % 4]}' title '$2'"
        fi
        k=$((k + 1))
        shift 2
    done
    if [ -z "$lines" ]; then
        echo "plots: $name left out: it was not measured"
        return
    fi
    {
        echo "set terminal svg size 760,470 font 'sans-serif,14' rounded \
            background '#ffffff'"
        echo "set output '$out/$name.svg'"
        echo "set label '$title' at screen 0.5,0.95 center font ',16'"
        echo "set xlabel '$xlabel'"
        echo "set ylabel 'ns (less is better)'"
        echo "set label '$machine' at screen 0.99,0.025 right font ',10' \
            textcolor rgb '#777777'"
        echo "set bmargin 5"
        echo "set border 3 lc rgb '#555555'; set tics nomirror"
        echo "set grid ytics xtics lc rgb '#dddddd' lt 1"
        echo "set tmargin 5"
        echo "set key at screen 0.5,0.905 center top horizontal maxcols 4 \
            reverse Left samplen 2"
        axis "${files[@]}"
        echo "set logscale y 10"
        if [ "$scale" = TENS ]; then
            echo "set logscale x 10; set format x '10^{%L}'"
        else
            echo "set logscale x 2; set format x '%g'"
        fi
        echo "plot $lines"
    } >"$out/points/$name.gp"
    gnuplot "$out/points/$name.gp" && echo "plots: $out/$name.svg"
}

plot tasks "Tasks in one scope: spawn, wait, join" \
    "tasks alive at once" TENS \
    P1_lot.1c "they only return" P1_poll.1c "poll tasks, all wait" \
    P1_fiber.1c "fibers, all wait"
plot actors "Actors" "actors alive" TENS \
    P2_start.1c "start and stop one" P2_ring.1c "a message, to each in turn"
plot producers "Producers of one queue of 1,024" "producers" TWOS \
    P3_mailbox.1c "mailbox, 1 worker" P3_mailbox.2c "mailbox, 2 workers" \
    P3_channel.1c "channel, 1 worker" P3_channel.2c "channel, 2 workers"
plot depth "A scope in a task in a scope ..." "levels" TENS \
    P4_depth_join.1c "down and up again, a level" \
    P4_depth_cancel.1c "cancelled at the top, a level"
plot leaves "A tree of tasks, ten below each" "leaves" TENS \
    P5_leaves.1c "a leaf, 1 worker" P5_leaves.2c "a leaf, 2 workers"
plot workers "Workers, on all cpus there are" "workers" TWOS \
    P6_spawn_join.n "spawn and join, a task" P6_skynet.n "tree, a leaf" \
    P6_mpsc.n "4 producers, a message"
plot timers "Move a deadline while other timers are armed" \
    "timers armed" TENS P7_armed.1c "cancel and arm one"
