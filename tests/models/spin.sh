#!/bin/bash
# SPDX-License-Identifier: MIT
#
# spin.sh -- every Promela model of spec/models under spin, whole and faulty.
#
#   spin.sh FOLDER [MODEL ...]        FOLDER takes what is generated
#
# For each model: the search must find no error, must not be cut short and must
# have stored states; the functions that the model says it is a picture of must
# exist.  Then each fault that the model can be built with (#ifdef BUG_x) must
# be found.  JOBS models are searched at once, one for each core by default.
# Prints the table, and ends with "N passed, N failed".
cd "$(dirname "$0")/../.." || exit 1
out=$1
shift
models=${*:-$(for f in spec/models/*.pml; do basename "$f" .pml; done)}
passed=0
failed=0

say_bad() # say_bad WHAT WHY
{
    echo "  $1: $2"
    failed=$((failed + 1))
}

# search MODEL FAULT: leaves the report in $report and the seconds in $took.
search()
{
    local dir=$out/$1${2:+-$2} from=$EPOCHREALTIME
    mkdir -p "$dir"
    report=$dir/report
    (
        cd "$dir" && rm -f ./*.trail pan &&
            spin ${2:+"-D$2"} -a "$OLDPWD/spec/models/$1.pml" &&
            ${CC:-cc} "-O$([ -n "$2" ] && echo 0 || echo 2)" -w -DSAFETY -DCOLLAPSE -DMEMLIM=2000 -o pan pan.c &&
            ./pan -m200000 -w22
    ) >"$report" 2>&1
    took=$(awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN {
        sub(/,/, ".", a); sub(/,/, ".", b); printf "%.1f", b - a }')
    states=$(awk '/states, stored/ { print $1 }' "$report")
    depth=$(sed -n 's/.*depth reached \([0-9]*\).*/\1/p' "$report")
    errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$report")
}

# "Of:" at a model's top lists files and, indented below, functions.
check_sources()
{
    awk '/^ \* Of:/ { on = 1 } on && /^ \*$/ { exit }
        on { sub(/^ \* (Of:)?/, ""); print }' "spec/models/$1.pml" |
        tr -s ' ' '\n' | while read -r word; do
        case $word in
        '') ;;
        */*.[ch]) file=$word ;;
        *) grep -qE "^([A-Za-z].*[ *])?$word\(" "$file" ||
            echo "$word is not in $file any more" ;;
        esac
    done
}

# Everything about one model: a line for the table, and what is bad.
run_model()
{
    local model=$1 bad= gone faults=0 caught=0 missed= line fault
    search "$model" ""
    gone=$(check_sources "$model")
    if [ -n "$gone" ]; then
        bad=$gone
    elif [ "${errors:-1}" != 0 ]; then
        bad="errors: ${errors:-it did not run}, see $report"
    elif [ "${states:-0}" -eq 0 ]; then
        bad="no states"
    elif grep -qE 'not completed|depth too small|out of memory|max search' \
        "$report"; then
        bad="the search was cut short, see $report"
    fi
    line=$(printf '%-10s %10s %7s %8s' "$model" "$states" "$depth" "$took")
    for fault in $(sed -n 's/^#if.*\<\(BUG_[A-Z_]*\).*/\1/p' \
        "spec/models/$model.pml" | sort -u); do
        faults=$((faults + 1))
        search "$model" "$fault"
        if [ "${errors:-0}" -gt 0 ]; then
            caught=$((caught + 1))
        else
            missed="$missed $fault"
        fi
    done
    if [ -z "$bad" ] && { [ -n "$missed" ] || [ $faults -lt 2 ]; }; then
        bad="faults that nobody sees, of $faults:$missed"
    fi
    echo "$bad" >"$out/$model.bad"
    echo "$line  $caught of $faults" >"$out/$model.line"
}

mkdir -p "$out" || exit 1
for model in $models; do
    while [ "$(jobs -pr | wc -l)" -ge "${JOBS:-$(nproc)}" ]; do
        wait -n
    done
    rm -f "$out/$model.line" "$out/$model.bad"
    run_model "$model" &
done
wait

printf '%-10s %10s %7s %8s  %s\n' model states depth seconds 'faults caught'
for model in $models; do
    if ! cat "$out/$model.line"; then
        say_bad "$model" "it did not come to its end"
    elif [ -n "$(cat "$out/$model.bad")" ]; then
        say_bad "$model" "$(cat "$out/$model.bad")"
    else
        passed=$((passed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
