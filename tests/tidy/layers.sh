#!/bin/bash
# SPDX-License-Identifier: MIT
#
# layers.sh -- includes point down only.
#
#   include/   system headers and <ambit/...>
#   src/       src, include            and no identifier speaks of what is above
#   regions/   regions, src, include
#   actors/    actors, regions, src, include
#   spec/      spec, actors, regions, src, include; and nobody includes it
#   examples   what any user has: system headers, <ambit...>, their own files
cd "$(dirname "$0")/../.." || exit 1

mapfile -t files < <(find include src regions actors spec docs/examples \
    -name '*.[chS]' ! -name 'test_*' 2>/dev/null | sort)

offences=$(awk -v named=1 -f tests/tidy/strip.awk "${files[@]}" | awk '
function say(text) { printf "%s:%s: %s\n", file, line, text }
function room(path) { sub(/\/.*/, "", path); return path }
BEGIN {
    down["include"] = " "
    down["src"] = " src ambit "
    down["regions"] = " regions src ambit "
    down["actors"] = " actors regions src ambit "
    down["spec"] = " spec actors regions src ambit "
}
{
    file = $0; sub(/:.*/, "", file)
    line = $0; sub(/^[^:]*:/, "", line); text = line
    sub(/:.*/, "", line); sub(/^[^:]*:/, "", text)
    from = room(file)
}
text ~ /^[ ]*#[ ]*include[ ]*"/ {
    name = text; sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
    if (from == "docs") {
        if (name ~ /^(src|regions|actors)\//) {
            say("an example uses only <ambit...>, not " name)
        }
    } else if (index(down[from], " " room(name) " ") == 0) {
        say(from " must not include " name)
    }
}
from == "include" && text ~ /^[ ]*#[ ]*include[ ]*<(liburing|xxhash)/ {
    say("a public header needs only itself and the C library")
}
{ gsub(/__[A-Za-z0-9_]+/, "", text) } # the names of tools, not ours
from == "src" && tolower(text) ~ /(^|[^a-z])(region|actor)s?([^a-z]|$)/ {
    say("src knows nothing of regions or actors")
}')
if [ -n "$offences" ]; then
    echo "$offences"
    echo "layers: $(wc -l <<<"$offences") offences"
    exit 1
fi
echo "layers: fine (${#files[@]} files)"
