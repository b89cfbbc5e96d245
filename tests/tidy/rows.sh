#!/bin/bash
# SPDX-License-Identifier: MIT
#
# rows.sh -- all that docs/reference/rows.md names exists: each rule in spec/, each
# test or scenario by its name, each file; and no row is left out, nor is one
# without a scenario of the lab or a reason ("not in the lab: ...").
#
# Where a scenario of a row says which rules it asserts (tests/lab/scenario.h), each
# rule of the row is to be named by one of the row's scenarios, or by the reason:
# "not in the lab: ASYNC-META-1, a constant".
cd "$(dirname "$0")/../.." || exit 1

page=docs/reference/rows.md
there=$(mktemp)
scenarios=$(mktemp)
asserted=$(mktemp)
trap 'rm -f "$there" "$scenarios" "$asserted"' EXIT
grep -hoE '\{"[a-z0-9_]+"' tests/lab/scenarios_*.c | tr -d '{"' >"$scenarios"
# "scenario RULE", for each rule that a scenario says it asserts.
cat tests/lab/scenarios_*.c | tr '\n' ' ' |
    grep -oE '\{"[a-z0-9_]+", *[a-z0-9_]+,[^}"]*,( *"[A-Z0-9 -]+")+ *\}' |
    sed -E 's/^\{"([a-z0-9_]+)",[^"]*/\1 /; s/[}"]//g' |
    awk '{ for (i = 2; i <= NF; i++) print $1, $i }' >"$asserted"
rules_of() # rules_of ROW: those of its third column
{
    sed -nE "s/^\| $1 \|[^|]*\|([^|]*)\|.*/\1/p" $page | tr ' ' '\n' |
        grep -E '^[A-Z]+(-[A-Z]+)*-[0-9]+$'
}
not_asserted() # not_asserted ROW: rules that none of its scenarios names
{
    local cell named
    cell=$(sed -nE "s/^\| $1 \| .*\| ?([^|]*)\|$/\1/p" $page)
    named=$(grep -oE '`[a-z0-9_]+`' <<<"$cell" | tr -d '`' |
        awk 'NR == FNR { row[$1] = 1; next } $1 in row { print $2 }' - "$asserted")
    [ -n "$named" ] || return 0
    rules_of "$1" | grep -vxFf <(
        echo "$named"
        grep -oE 'not in the lab: .*' <<<"$cell" |
            grep -oE '[A-Z]+(-[A-Z]+)*-[0-9]+'
    ) | sed "s/^/$1: none of its scenarios asserts /"
}
# in_lab ROW: its last column names a scenario, or says why none.
in_lab()
{
    local cell
    cell=$(sed -nE "s/^\| $1 \| .*\| ?([^|]*)\|$/\1/p" $page)
    grep -qE 'not in the lab: [A-Za-z0-9.-]+,? [a-z]' <<<"$cell" ||
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
    cut -d' ' -f2 "$asserted" | LC_ALL=C sort -u | LC_ALL=C comm -23 - "$there" |
        sed 's/$/: asserted by a scenario, but no rule/'
    for row in C{1..17} D{1..13} H{1..4}; do
        grep -qE "^\\| $row \\| .*[A-Z]+-[0-9]+ " $page || echo "$row: no rule"
        not_asserted "$row"
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
