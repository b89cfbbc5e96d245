#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh -- both kinds of model, and one sum: "N passed, N failed".
#
#   run.sh FOLDER
cd "$(dirname "$0")/../.." || exit 1
mkdir -p "$1" || exit 1
passed=0
failed=0
for kind in spin c11; do
    echo "== $kind"
    tests/models/$kind.sh "$1/$kind" | tee "$1/$kind.log"
    sum=$(tail -n 1 "$1/$kind.log")
    if [[ $sum =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
    else
        echo "$kind.sh did not come to its end"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
