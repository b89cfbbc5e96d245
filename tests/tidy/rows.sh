#!/bin/bash
# SPDX-License-Identifier: MIT
#
# rows.sh -- all that docs/reference/rows.md names exists: each rule in spec/, each
# test or scenario by its name, each file; and no row is left out, nor is one
# without a scenario of the lab or a reason ("not in the lab: ...").
cd "$(dirname "$0")/../.." || exit 1

page=docs/reference/rows.md
there=$(mktemp)
scenarios=$(mktemp)
trap 'rm -f "$there" "$scenarios"' EXIT
grep -hoE '\{"[a-z0-9_]+"' tests/lab/scenarios_*.c | tr -d '{"' >"$scenarios"
# in_lab ROW: its last column names a scenario, or says why none.
in_lab()
{
    local cell
    cell=$(sed -nE "s/^\| $1 \| .*\| ?([^|]*)\|$/\1/p" $page)
    grep -qE 'not in the lab: [a-z.]+ [a-z]' <<<"$cell" ||
        grep -oE '`[a-z0-9_]+`' <<<"$cell" | tr -d '`' |
        grep -qxFf "$scenarios"
}
{
    grep -hoE '^\*\*[A-Z0-9-]+\*\*' spec/*.md | tr -d '*'
    grep -hoE '^(Spec|Test)\([A-Za-z0-9_]+, *[a-z0-9_]+' tests/*/*_test.c |
        sed 's/.*, *//'
    cat "$scenarios"
    ls spec/models/*.pml tests/models/*.c
} | LC_ALL=C sort -u >"$there"

offences=$(
    grep -E '^\| ([CDH][0-9]+|[a-z]+) \|' $page |
        grep -oE '[A-Z]+(-[A-Z]+)*-[0-9]+|`[a-z0-9_]+`|(spec|tests)/models/[a-z.0-9]+' |
        tr -d '`' | LC_ALL=C sort -u | LC_ALL=C comm -23 - "$there" |
        sed 's/$/: named, but not there/'
    for row in C{1..17} D{1..13} H{1..4}; do
        grep -qE "^\\| $row \\| .*[A-Z]+-[0-9]+ " $page || echo "$row: no rule"
        in_lab "$row" || echo "$row: neither in the lab nor a reason why not"
    done
    for row in rwlock notify barrier once watch broadcast ends; do
        grep -qE "^\\| $row \\| .*[A-Z]+-[0-9]+ " $page || echo "$row: no rule"
        in_lab "$row" || echo "$row: neither in the lab nor a reason why not"
    done
)
if [ -n "$offences" ]; then
    echo "$offences"
    echo "rows: $(wc -l <<<"$offences") offences"
    exit 1
fi
echo "rows: fine ($(grep -c '^| [CDH][0-9]' $page) rows)"
