# SPDX-License-Identifier: MIT
#
# compare.awk -- awk -v file=NAME -f compare.awk counts.txt measured
#
# A line for each path; a sentence for each that rose by more than 3 %, that
# fell by as much, or that only one of the two knows.
/^#/ || NF < 2 { next }
FNR == NR { kept[$1] = $2; next }
{
    seen[$1] = 1
    if (!($1 in kept)) {
        say[++bad] = $1 ": takes " $2 " instructions and is not in " file \
            "; `make counts UPDATE=1` writes it there"
        next
    }
    change = ($2 / kept[$1] - 1) * 100
    printf "%-26s %8.1f  kept %8.1f  %+5.1f %%\n", $1, $2, kept[$1], change
    if (change > 3) {
        say[++bad] = sprintf("%s: takes %.1f instructions, %.1f %% more than " \
            "the %.1f of %s; find out why, or `make counts UPDATE=1` and say " \
            "in the commit what they buy", $1, $2, change, kept[$1], file)
    } else if (change < -3) {
        note[++good] = sprintf("%s: takes %.1f instructions, %.1f %% less " \
            "than the %.1f of %s; `make counts UPDATE=1` keeps it so", \
            $1, $2, -change, kept[$1], file)
    }
}
END {
    for (path in kept) {
        if (!(path in seen)) {
            say[++bad] = path ": is in " file " and was not counted"
        }
        paths++
    }
    for (i = 1; i <= good; i++) print note[i]
    for (i = 1; i <= bad; i++) print say[i]
    if (paths == 0) say[++bad] = ""
    printf "counts: %d paths, %d of them off\n", paths, bad
    exit bad > 0
}
