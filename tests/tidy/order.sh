#!/bin/bash
# SPDX-License-Identifier: MIT
#
# order.sh -- memory order is said and paired.
#
# Outside atomic_init only the _explicit operations (and fences) are used; each
# has ORDER(tag) on its line or within the six lines above, where a comment
# says why that order is right; and each tag occurs at least twice in the tree,
# as one end of a hand-over without the other is a mistake.  tests/models is left
# out: there the operations are what is defined and tried.
cd "$(dirname "$0")/../.." || exit 1

# spec/lab/os.h defines the operations of the lab instead of using them.
mapfile -t files < <(find include src regions actors spec tests docs/examples \
    -path tests/models -prune -o -name '*.[ch]' ! -path spec/lab/os.h -print \
    2>/dev/null | sort)

# Reads code as "path:line:text".
operations()
{
    awk -v named=1 -f tests/tidy/strip.awk "$@" | awk '
    function say(text) { printf "%s:%d: %s\n", file, n, text }
    function read_tags(f,  i, raw) {
        delete tagged
        while ((getline raw < f) > 0) {
            i++
            if (raw ~ /ORDER\([a-z0-9-]+\)/) { tagged[i] = 1 }
        }
        close(f)
    }
    function near(  k) {
        for (k = n; k >= n - 6; k--) { if (k in tagged) { return 1 } }
        return 0
    }
    !/atomic_|__sync_/ { next }
    {
        split($0, part, ":")
        n = part[2] + 0
        rest = substr($0, length(part[1]) + length(part[2]) + 3)
        if (part[1] != file) { file = part[1]; read_tags(file) }
    }
    rest ~ /__sync_/ { say("__sync_ builtins say no order") }
    {
        while (match(rest, /(^|[^A-Za-z0-9_])(__)?atomic_[a-z_]+[ ]*\(/)) {
            op = substr(rest, RSTART, RLENGTH)
            rest = substr(rest, RSTART + RLENGTH)
            gsub(/[^a-z_]/, "", op)
            if (op !~ /^(__)?atomic_(load|store|exchange|compare_exchange|fetch_|flag_|thread_fence|signal_fence|add_fetch|sub_fetch)/) {
                continue
            }
            if (op !~ /_explicit$|_fence$|^__/) {
                say(op " says no order: use " op "_explicit")
            } else if (!near()) {
                say(op " has no ORDER(tag) within six lines above")
            }
        }
    }'
}

tags()
{
    grep -ohE 'ORDER\([a-z0-9-]+\)' "$@" | sort | uniq -c |
        while read -r count tag; do
            [ "$count" -ge 2 ] ||
                echo "$(grep -nF "$tag" "$@" | cut -d: -f1,2): $tag has no other end"
        done
}

offences=$(
    operations "${files[@]}"
    tags "${files[@]}"
)
if [ -n "$offences" ]; then
    echo "$offences"
    echo "order: $(wc -l <<<"$offences") offences"
    exit 1
fi
echo "order: fine ($(grep -ohE 'ORDER\([a-z0-9-]+\)' "${files[@]}" |
    sort -u | wc -l) hand-overs)"
