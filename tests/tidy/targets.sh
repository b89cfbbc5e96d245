#!/bin/bash
# SPDX-License-Identifier: MIT
#
# targets.sh -- the verdicts of `make peers`: each kind of target gives the
# right answer on lines that are made up, and each row that the targets name is
# one that a program prints.
cd "$(dirname "$0")/../bench" || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cat >"$scratch/targets" <<'END'
# row       against      at most   what
A_ratio.1c  tokio        0.20      at the limit
A_ratio.2c  tokio        0.20      just above
A_ratio.1c  raw-ring     1.5       a raw program, by its name
A_rate.1c   best         0.5       twice the rate
A_rate.2c   best         0.5       not twice the rate
A_least.1c  best         0.5       raw is not one of them
A_bytes.1c  -            128       at the limit
A_bytes.2c  -            128       one above
A_ratio.2c  self:A_ratio.1c 1.5    ours beside ours
A_ratio.2c  tokio-block_on 1       how it is run is part of its name
A_ratio.1c  caf          1         who is not there
A_alone.1c  best         1         nobody else is there
A_gone.1c   tokio        1         we are not there
END

# Three rounds: the median counts, not the best nor the mean.
cat >"$scratch/lines" <<'END'
A_ratio.1c ambit-0.1.0 1 ns best=1 n=1
A_ratio.1c ambit-0.1.0 20 ns best=20 n=1
A_ratio.1c ambit-0.1.0 900 ns best=900 n=1
A_ratio.1c tokio-1.24 100 ns best=100 n=1
A_ratio.1c raw-ring(no_tasks) 10 ns best=10 n=1
A_ratio.2c ambit-0.1.0 21 ns best=21 n=1
A_ratio.2c tokio-1.24 100 ns best=100 n=1
A_ratio.2c tokio-1.24-block_on 42 ns best=42 n=1
A_rate.1c ambit-0.1.0 60 Mmsg/s best=60 n=1
A_rate.1c go 10 Mmsg/s best=10 n=1
A_rate.1c boost.fiber-1.81 30 Mmsg/s best=30 n=1
A_rate.2c ambit-0.1.0 50 Mmsg/s best=50 n=1
A_rate.2c go 30 Mmsg/s best=30 n=1
A_least.1c ambit-0.1.0 40 ns best=40 n=1
A_least.1c raw-ring(no_tasks) 1 ns best=1 n=1
A_least.1c erlang-25 100 ns best=100 n=1
A_least.1c tokio-1.24 80 ns best=80 n=1
A_bytes ambit-0.1.0 128 bytes/task best=128 n=1
A_bytes.2c ambit-0.1.0 129 bytes/task best=129 n=1
A_alone.1c ambit-0.1.0 5 ns best=5 n=1
A_gone.1c tokio-1.24 5 ns best=5 n=1
END

cat >"$scratch/wanted" <<'END'

targets, ours beside theirs
A_ratio.1c                 0.20 x tokio, wanted <= 0.20: reached   (at the limit)
A_ratio.2c                 0.21 x tokio, wanted <= 0.20: missed   (just above)
A_ratio.1c                 2.00 x raw-ring, wanted <= 1.5: missed   (a raw program, by its name)
A_rate.1c                  0.50 x boost.fiber (best of go, boost.fiber), wanted <= 0.5: reached   (twice the rate)
A_rate.2c                  0.60 x go (best of go), wanted <= 0.5: missed   (not twice the rate)
A_least.1c                 0.50 x tokio (best of erlang, tokio), wanted <= 0.5: reached   (raw is not one of them)
A_bytes.1c                 128 bytes/task, wanted <= 128: reached   (at the limit)
A_bytes.2c                 129 bytes/task, wanted <= 128: missed   (one above)
A_ratio.2c                 1.05 x A_ratio.1c, wanted <= 1.5: reached   (ours beside ours)
A_ratio.2c                 0.50 x tokio-block_on, wanted <= 1: reached   (how it is run is part of its name)
A_ratio.1c                 wanted <= 1 x caf, which is missing: not measured   (who is not there)
A_alone.1c                 wanted <= 1 x the best of them, which is missing: not measured   (nobody else is there)
A_gone.1c                  wanted <= 1, no row of ours: not measured   (we are not there)
targets: 6 reached, 4 missed, 3 not measured
END

bad=0
awk -f peers/rows.awk -f peers/verdicts.awk "$scratch/targets" \
    "$scratch/lines" >"$scratch/is" 2>&1
if ! diff "$scratch/wanted" "$scratch/is"; then
    echo "targets: the verdicts on the made-up lines are not as wanted (<)"
    bad=1
fi

# Ours, and those of the other rows that a target names, without what is added
# when they are measured: how many workers, and which size.
while read -r row; do
    if ! grep -qF "\"$row\"" ./*.c; then
        echo "targets: no program prints the row $row"
        bad=1
    fi
done < <(awk '!/^#/ && NF { print $1; if (sub(/^self:/, "", $2)) print $2 }' \
    peers/targets | sed 's/\.[0-9]*c$//; s/@.*//' | sort -u)

[ $bad -eq 0 ] || exit 1
echo "targets: fine ($(grep -c '^[A-Za-z]' peers/targets) targets)"
