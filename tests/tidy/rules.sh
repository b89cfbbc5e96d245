#!/bin/bash
# SPDX-License-Identifier: MIT
#
# rules.sh [--table] -- each promise has a number, a line that keeps it, a test,
# and a seeded bug that turns the test red (make mutants).
#
#   spec/*.md               **REG-CLOSE-3** A region MUST ...
#   src regions spec ...    RULE(REG_CLOSE_3)
#   tests                   Spec(REG_CLOSE_3, a_sentence)
#   tests/mutants           REG_CLOSE_3.patch, REG_CLOSE_3-2.patch
#
# Fails on a rule that lacks one of them, on code, a test or a mutant without a
# rule, on a number given twice, and on a test that ends by asking for another rule
# than its own.
cd "$(dirname "$0")/../.." || exit 1

find_marks() # find_marks KIND PATTERN FILES... -> "kind ID file:line"
{
    local kind=$1 pattern=$2
    shift 2
    [ $# -gt 0 ] || return 0
    grep -noE "$pattern" /dev/null "$@" | awk -v kind="$kind" '{
        file = $0; sub(/:[0-9]+:.*/, "", file)
        line = substr($0, length(file) + 2); sub(/:.*/, "", line)
        id = substr($0, length(file) + length(line) + 3)
        sub(/^[^(*]*[(*]+/, "", id); sub(/[^A-Z0-9_-].*$/, "", id)
        gsub(/-/, "_", id)
        print kind, id, file ":" line
    }'
}

mapfile -t spec < <(find spec -name '*.md' 2>/dev/null | sort)
mapfile -t code < <(find include src regions actors spec docs/examples \
    -name '*.[chS]' ! -name 'test_*' 2>/dev/null | sort)
mapfile -t tests < <(find tests docs/examples -name '*.c' -o -name '*.sh' |
    grep -E '^tests/|/test_' | grep -vx tests/tidy/rules.sh | sort)

# Spec(A_1, ...) { ... spec_end("A_2"); }
strangers=$(awk '
/^Spec\(/ { own = $0; gsub(/^Spec\(|,.*/, "", own) }
/^}/ { own = "" }
own != "" && /^ *spec_end\("/ {
    asked = $0; gsub(/^ *spec_end\("|".*/, "", asked)
    if (asked != own) {
        print FILENAME ":" FNR ": the test of " own " ends with " asked
    }
}' "${tests[@]}")
if [ -n "$strangers" ]; then
    echo "$strangers"
    echo "rules: $(wc -l <<<"$strangers") tests ask for another rule"
    exit 1
fi

id='[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_[0-9]+'
{
    find_marks rule "^\*\*${id//_/-}\*\*" "${spec[@]}"
    find_marks code "(^|[^A-Za-z_])RULE\($id\)" "${code[@]}"
    find_marks test "(^|[^A-Za-z_])Spec\($id" "${tests[@]}"
    find tests/mutants -name '*.patch' 2>/dev/null | sort |
        sed -E 's|^(.*/([A-Z0-9_]+)(-[0-9]+)?\.patch)$|mutant \2 \1|'
} | LC_ALL=C sort -s -k2,2V | awk -v table="${1:-}" '
function say(text) { offence[bad++] = text }
{
    if (!($2 in seen)) { seen[$2] = 1; ids[++n] = $2 }
    if ($1 == "rule" && ($2, "rule") in at) {
        say($3 ": " $2 " is already at " at[$2, "rule"])
    } else {
        at[$2, $1] = at[$2, $1] ((at[$2, $1] == "") ? "" : " ") $3
    }
}
END {
    for (i = 1; i <= n; i++) {
        id = ids[i]
        if (table != "") {
            printf "%-16s %s -> %s -> %s -> %s\n", id, at[id, "rule"], \
                at[id, "code"], at[id, "test"], at[id, "mutant"]
        }
        if (at[id, "rule"] == "") {
            say((at[id, "code"] at[id, "test"] at[id, "mutant"]) ": " id \
                " is no rule of spec/")
            continue
        }
        rules++
        if (at[id, "code"] == "") { say(at[id, "rule"] ": " id " has no code") }
        if (at[id, "test"] == "") { say(at[id, "rule"] ": " id " has no test") }
        if (at[id, "mutant"] == "") { say(at[id, "rule"] ": " id " has no mutant") }
    }
    for (i = 0; i < bad; i++) { print offence[i] }
    if (bad) { printf "rules: %d offences\n", bad; exit 1 }
    printf "rules: fine (%d rules)\n", rules
}'
