# SPDX-License-Identifier: MIT
#
# where.awk -- where the instructions of a path go, by function of the source.
#
#   make counts
#   awk -v path=spawn_join -f tests/bench/counts/where.awk \
#       $(ls -v build/counts/counts/dump*)
#
# gcc puts functions into one another, and callgrind then counts them as one; so
# this goes by lines.  All dumps are read, as names are told in the first that
# has them.  A path has a dump with few rounds and one with more: what they differ
# by is what a round takes.

function number(field) {
    sub(/^[a-z]+=\(/, "", field)
    sub(/\).*/, "", field)
    return field
}

# The file that a line names, in full where it is told for the first time.
function file_of(line,   name) {
    name = line
    if (sub(/^[a-z]+=\([0-9]+\) /, "", name)) { files[number(line)] = name }
    return files[number(line)]
}

# Which lines of a file begin a function: those that begin at the margin and have
# a name with a bracket.
function learn(file,   line, at, name) {
    known[file] = 1
    while ((getline line < file) > 0) {
        at++
        if (line ~ /^[A-Za-z_].*[A-Za-z0-9_]\(/ && line !~ /^typedef/) {
            name = line
            gsub(/__attribute__|_Static_assert/, "", name)
            if (match(name, /[A-Za-z0-9_]+\(/)) {
                name = substr(name, RSTART, RLENGTH - 1)
            }
        }
        owner[file, at] = name
    }
    close(file)
}

FNR == 1 { rounds = 0; current = ""; line = 0; callee = 0 }
$0 ~ "^desc: Trigger: Client Request: " path " " { rounds = $6; parts++ }
/^f[lie]=/ { current = file_of($0); next }
/^cf[il]=/ { file_of($0); next }
/^calls=/ { callee = 1; next }
/^[-+*0-9]/ {
    line = $1 == "*" ? line : $1 ~ /^[-+]/ ? line + $1 : $1
    if (callee) { callee = 0; next } # what was called counts itself
    if (rounds == 0 || parts > 2) { next }
    if (!(current in known)) { learn(current) }
    # A definition that begins on the line before has its name there.
    where = owner[current, line] != "" ? owner[current, line] : "?"
    sum[parts, where " " current] += $2
    seen[where " " current] = 1
    n[parts] = rounds
}

END {
    if (parts < 2) { print "where: no path \"" path "\""; exit 1 }
    for (w in seen) {
        name = w
        sub(ENVIRON["PWD"] "/", "", name)
        sub(/\.\//, "", name)
        each = (sum[2, w] - sum[1, w]) / (n[2] - n[1])
        total += each
        if (each >= 0.5) {
            printf "%8.1f  %s\n", each, name | "sort -rn"
        }
    }
    close("sort -rn")
    printf "%8.1f  all of %s\n", total, path
}
