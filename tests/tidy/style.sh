#!/bin/bash
# SPDX-License-Identifier: MIT
#
# style.sh -- the hard stops of the style: no function over 70 lines, no file
# over 500, no line of C over 100 columns, no tab in C, a licence line in each
# file of C, and no mark for work left undone.
cd "$(dirname "$0")/../.." || exit 1

rooms=$(ls -d include src regions actors spec tests docs 2>/dev/null)
mapfile -t c_files < <(find $rooms -name '*.[chS]' | sort)
mapfile -t all_files < <(find $rooms Makefile README.md .ci -type f \
    \( -name '*.[chS]' -o -name '*.sh' -o -name '*.awk' -o -name '*.md' \
    -o -name Makefile -o -path '.ci/*' \) 2>/dev/null | sort)

check_c()
{
    awk '
    function say(text) { printf "%s:%d: %s\n", FILENAME, FNR, text }
    FNR == 1 { licensed = 0; start = 0 }
    FNR <= 3 && /SPDX-License-Identifier: MIT/ { licensed = 1 }
    FNR == 3 && !licensed { say("no SPDX line at the top") }
    /\t/ && FILENAME !~ /\.S$/ { say("a tab") }
    length($0) > 100 { say("a line of " length($0) " columns") }
    /^{/ { start = FNR }
    /^}/ && start {
        if (FNR - start + 1 > 70) {
            say("a function of " FNR - start + 1 " lines")
        }
        start = 0
    }' "$@"
}

check_all()
{
    awk -v word='TO''DO' '
    FNR == 501 && FILENAME !~ /\.md$/ {
        printf "%s: over 500 lines\n", FILENAME
    }
    index($0, word) && match($0, "(^|[^A-Za-z_])" word "([^A-Za-z_]|$)") {
        printf "%s:%d: the word %s\n", FILENAME, FNR, word
    }' "$@"
}

offences=$(
    check_c "${c_files[@]}" </dev/null
    check_all "${all_files[@]}" </dev/null
)
if [ -n "$offences" ]; then
    echo "$offences"
    echo "style: $(wc -l <<<"$offences") offences"
    exit 1
fi
echo "style: fine (${#all_files[@]} files)"
