# SPDX-License-Identifier: MIT
#
# strip.awk -- C without its comments and without what is inside its strings,
# line for line.  Include lines keep their names.  -v named=1 puts "path:line:"
# before each that has code.
function put(text)
{
    if (!named) {
        print text
    } else if (text ~ /#|[A-Za-z]/) {
        print FILENAME ":" FNR ":" text
    }
}
FNR == 1 { inside = 0 }
{
    line = $0
    out = ""
    if (!inside && line ~ /^[ \t]*#[ \t]*include/) {
        sub(/\/\*.*/, "", line)
        put(line)
        next
    }
    while (line != "") {
        if (inside) {
            end = index(line, "*/")
            if (end == 0) { line = ""; break }
            line = substr(line, end + 2)
            inside = 0
            continue
        }
        if (!match(line, /\/\*|\/\/|"|'/)) { out = out line; break }
        mark = substr(line, RSTART, RLENGTH)
        out = out substr(line, 1, RSTART - 1)
        line = substr(line, RSTART + RLENGTH)
        if (mark == "//") { break }
        if (mark == "/*") { inside = 1; continue }
        # a string or a character: on to the closing quote
        while (line != "") {
            c = substr(line, 1, 1)
            if (c == "\\") { line = substr(line, 3); continue }
            line = substr(line, 2)
            if (c == mark) { break }
        }
        out = out mark mark
    }
    put(out)
}
