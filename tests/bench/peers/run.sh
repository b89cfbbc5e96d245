#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh -- ours and theirs on the same work, interleaved, and their ratios.
#
#   run.sh [W1 W2 ...]          no argument: all of them
#
#   AMBIT=program LOADGEN=program OUT=folder    set by `make peers`
#   ROUNDS=3        how often each workload goes round all peers
#   BENCH_REPS=1    repetitions in one round      BENCH_MIN_MS=500  of each
#   PEERS="go tokio"  only these (and ours); names as in `peers` below
#
# ".1c" is one runtime thread on cpu 0, ".2c" two, on cpus 0 and 1.
here=$(cd "$(dirname "$0")" && pwd)
OUT=$(mkdir -p "${OUT:-$here/build}" && cd "${OUT:-$here/build}" && pwd)
AMBIT=$(realpath "$AMBIT")
LOADGEN=$(realpath "$LOADGEN")
export BENCH_REPS=${BENCH_REPS:-1} BENCH_MIN_MS=${BENCH_MIN_MS:-500}
ROUNDS=${ROUNDS:-3}
PEERS=${PEERS:-go tokio erlang uv boost caf raw}
raw=$OUT/lines
port=$((20000 + RANDOM % 8000))
path_go=$(printf '%s\n' /usr/lib/go-*/bin | sort -V | tail -n 1)
PATH=${path_go:+$path_go:}$PATH
ulimit -n 20000 2>/dev/null || ulimit -n "$(ulimit -Hn)"

# --- building ---------------------------------------------------------------

build_go()
{
    (cd "$here/go" && GOCACHE=$OUT/gocache GOTOOLCHAIN=local GOPROXY=off \
        GOFLAGS=-mod=mod go build -o "$OUT/gobench" .)
}

# Offline, with the crates that Debian packages.
build_tokio()
{
    rm -rf "$OUT/tokio-src" && cp -r "$here/tokio" "$OUT/tokio-src" &&
        (cd "$OUT/tokio-src" && CARGO_HOME=$OUT/cargo cargo build --release \
            --offline -q --target-dir "$OUT/tokio" \
            --config 'source.crates-io.replace-with="debian"' \
            --config 'source.debian.directory="/usr/share/cargo/registry"') &&
        cp "$OUT/tokio/release/tokiobench" "$OUT/"
}

build_erlang()
{
    (cd "$here/erlang" && erlc -o "$OUT" bench.erl counter_srv.erl \
        crash_sup.erl)
}

cc_peer() # cc_peer NAME LIBRARIES...
{
    local name=$1
    shift
    ${CC:-cc} -O3 -std=gnu11 -D_GNU_SOURCE -w "$here/c/$name.c" \
        -o "$OUT/$name" "$@" -pthread
}

cxx_peer() # cxx_peer NAME LIBRARIES...
{
    local name=$1
    shift
    ${CXX:-g++} -O3 -DNDEBUG -std=c++17 -w "$here/cpp/$name.cpp" \
        -o "$OUT/${name}bench" "$@" -pthread
}

build_uv() { cc_peer uv -luv; }
build_raw()
{
    cc_peer raw_echo -luring && cc_peer raw_ring && cc_peer raw_wake -luring &&
        cc_peer raw_threads
}
build_boost() { cxx_peer boost -lboost_fiber -lboost_context; }
build_caf() { cxx_peer caf -lcaf_core; }

have_tool() # have_tool PEER: what its build starts with is there
{
    case $1 in
    go) command -v go ;;
    tokio) command -v cargo && ls -d /usr/share/cargo/registry/tokio-util-0* ;;
    erlang) command -v erl && command -v erlc ;;
    uv) ls /usr/include/uv.h ;;
    boost) command -v g++ && ls /usr/include/boost/fiber/all.hpp ;;
    caf) command -v g++ && ls /usr/include/caf/all.hpp ;;
    *) true ;;
    esac >/dev/null 2>&1
}

build_all()
{
    local peer
    built=" "
    for peer in $PEERS; do
        if ! have_tool "$peer"; then
            echo "# $peer left out: not installed"
        elif "build_$peer" >"$OUT/$peer.log" 2>&1; then
            built="$built$peer "
        else
            echo "# $peer left out: it does not build ($OUT/$peer.log)"
        fi
    done
}

# --- running ----------------------------------------------------------------

is_built() { [[ $built == *" $1 "* ]]; }

keep() # its lines, and nothing else
{
    awk '/^([WSP][0-9]|checkpoint)/ { print; fflush() }' | tee -a "$raw"
}

run() # run CPUS COMMAND...: on so many cpus, for a bounded time
{
    local cpus=0
    [ "$1" = 2 ] && cpus=0,1
    shift
    timeout -k 2 "${LIMIT:-120}" taskset -c $cpus "$@" 2>>"$OUT/errors" | keep
}

ambit()
{
    run "$1" "$AMBIT" --lines --workers "$1" --reps "$BENCH_REPS" \
        --min-ms "$BENCH_MIN_MS" "${@:2}"
}
go_() { is_built go && run "$2" "$OUT/gobench" "$1" "$2"; }
tokio() { is_built tokio && run "$2" "$OUT/tokiobench" "$1" "$2"; }
uv() { is_built uv && run "$2" "$OUT/uv" "$1" "$2"; }
boost() { is_built boost && run "$2" "$OUT/boostbench" "$1" "$2"; }
caf() { is_built caf && run "$2" "$OUT/cafbench" "$1" "$2"; }
erl_flags="+SDio 1 +A 1 +P 4000000 +Q 65536 -noshell -noinput"
erlang()
{
    # shellcheck disable=SC2086 # flags
    is_built erlang && run "$2" erl "+S" "$2:$2" +SDcpu 1:1 $erl_flags \
        -pa "$OUT" -s bench main "$1"
}

tasks() # tasks W: on every peer that has tasks, with one and two threads
{
    local threads peer
    for threads in 1 2; do
        for peer in ambit_ go_ tokio erlang boost "${@:2}"; do
            $peer "$1" $threads
        done
    done
}
ambit_() { ambit "$2" "$1"; }

W1() { tasks W1 caf; }
W2() { ambit 1 W2; go_ W2 1; tokio W2 1; erlang W2 1; boost W2 1; }
W3()
{
    tasks W3 caf
    is_built raw && run 2 "$OUT/raw_threads" W3
}
W4()
{
    tasks W4 caf
    is_built raw && { run 1 "$OUT/raw_ring" 1; run 2 "$OUT/raw_ring" 2; }
}
W5() { tasks W5 caf; }
W6() { tasks W6 caf; }
W7() { tasks W7 caf; }
W8()
{
    [ "$round" = 1 ] || return # memory does not vary
    local w
    ambit 1 W8f
    for w in W8t W8a; do
        ambit 1 $w
        go_ $w 1
        tokio $w 1
        erlang $w 1
    done
    erlang W8h 1
    caf W8a 1
    boost W8t 1
}
W9()
{
    local threads
    ambit 1 W9a; go_ W9a 1; tokio W9a 1; erlang W9a 1; uv W9a 1
    for threads in 1 2; do
        ambit $threads W9s
        go_ W9s $threads
        tokio W9s $threads
        erlang W9s $threads
    done
    uv W9s 1
}
W12() { local t; for t in 1 2; do ambit $t W12; go_ W12 $t; tokio W12 $t; erlang W12 $t; caf W12 $t; done; }
W13() { local t; for t in 1 2; do ambit $t W13; tokio W13 $t; uv W13 $t; done; }
W15() { ambit 2 W15; uv W15 2; is_built raw && run 2 "$OUT/raw_wake"; }
W17() { local t; for t in 1 2; do ambit $t W17; erlang W17 $t; done; }
W18() { local t; for t in 1 2; do ambit $t W18; tokio W18 $t; done; }
W19() { local t; for t in 1 2; do ambit $t W19; tokio W19 $t; done; }
S1() { ambit 2 S1; tokio S1 2; }
S2() { ambit 2 S2; tokio S2 2; }
S3() { ambit 2 S3; tokio S3 2; }
S4() { ambit 2 S4; tokio S4 2; is_built raw && run 2 "$OUT/raw_threads" S4; }
S5() { ambit 2 S5; tokio S5 2; is_built raw && run 2 "$OUT/raw_threads" S5; }
P1() { ambit 1 P1 --sizes 1000,1000000; }
P7() { ambit 1 P7 --sizes 1000,1000000; }
checkpoint() { ambit 1 checkpoint; }

serve() # serve NAME COMMAND...: an echo server on cpu 0, its clients on cpu 1
{
    local name=$1 server connections
    shift
    port=$((port + 1))
    taskset -c 0 "${@//PORT/$port}" >/dev/null 2>>"$OUT/errors" &
    server=$!
    for _ in {1..50}; do
        sleep 0.1
        (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null && break
    done
    for connections in 1 64 1000; do
        timeout 30 taskset -c 1 "$LOADGEN" "$name" $server $port $connections \
            "${SECONDS_EACH:-1}" "$BENCH_REPS" 2>>"$OUT/errors" | keep
    done
    kill $server 2>/dev/null
    wait $server 2>/dev/null
}

W10()
{
    serve ambit "$AMBIT" --serve-echo PORT
    is_built go && serve go "$OUT/gobench" W10 1 PORT
    is_built tokio && serve tokio "$OUT/tokiobench" W10 1 PORT
    # shellcheck disable=SC2086 # flags
    is_built erlang && serve erlang erl +S 1:1 +SDcpu 1:1 +K true \
        $erl_flags -pa "$OUT" -s bench main W10 PORT
    is_built uv && serve libuv "$OUT/uv" W10 PORT
    is_built raw && serve raw-uring "$OUT/raw_echo" uring PORT
    is_built raw && serve raw-epoll "$OUT/raw_echo" epoll PORT
}

# --- the whole --------------------------------------------------------------

[ $# -gt 0 ] || set -- W1 W2 W3 W4 W5 W6 W7 W8 W9 W10 W12 W13 W15 W17 W18 W19 \
    S1 S2 S3 S4 S5 P1 P7 checkpoint
build_all
: >"$raw"
: >"$OUT/errors"
for workload; do
    for round in $(seq "$ROUNDS"); do
        echo "## $workload, round $round of $ROUNDS, load $(cut -d' ' -f1-3 \
            /proc/loadavg)"
        "$workload"
    done
done
{
    "$AMBIT" --machine
    awk -f "$here/rows.awk" -f "$here/table.awk" "$raw"
    awk -f "$here/rows.awk" -f "$here/verdicts.awk" "$here/targets" "$raw"
} | tee "$OUT/table"
