#!/bin/bash
# SPDX-License-Identifier: MIT
#
# text.sh -- what is written down holds on any machine: no path of the machine
# it was written on, no host of a package mirror, no fixed temporary folder in
# what a reader is told to type.
cd "$(dirname "$0")/../.." || exit 1

mapfile -t files < <(find include src regions actors spec tests docs .ci \
    README.md Makefile LICENSE ambit.* -type f 2>/dev/null | sort -u)
mapfile -t prose < <(find README.md spec docs -type f 2>/dev/null | sort)

# Written so that the patterns do not match themselves.
machine='(^|[^A-Za-z0-9_./-])/(wor[k]|roo[t]|hom[e]/[a-z]+)/'
hosts='[a-z0-9-]+[.]pkg[.]dev|registr[y][.][a-z]+[.]|artifac[t][-]?(registry|ory)|pypi[.]|crates[.]io'

offences=$(
    grep -nE "$machine" "${files[@]}" | sed 's/^/a path of one machine: /'
    grep -niE "$hosts" "${files[@]}" | grep -v '^tests/tidy/text.sh:' |
        sed 's/^/a registry: /'
    [ ${#prose[@]} -eq 0 ] ||
        grep -nE '/tmp/' /dev/null "${prose[@]}" | grep -v XXXXXX |
        sed 's/^/a fixed temporary path: /'
)
if [ -n "$offences" ]; then
    echo "$offences"
    echo "text: $(wc -l <<<"$offences") offences"
    exit 1
fi
echo "text: fine (${#files[@]} files)"
