# SPDX-License-Identifier: MIT
#
# points.awk -- awk -v out=FOLDER -f points.awk bench.json
#
# The rows that are points of a curve, as FOLDER/CURVE.Nc.dat: size, median, best
# and worst ns, by size as they were measured.  One JSON row is one line, as
# json.c writes them.  Says how each curve rises.
function text(key,   at) {
    at = match($0, "\"" key "\": \"[^\"]*\"")
    return at ? substr($0, at + length(key) + 5,
                       RLENGTH - length(key) - 6) : ""
}

function number(key,   at) {
    at = match($0, "\"" key "\": [0-9.e+-]+")
    return at ? substr($0, at + length(key) + 4,
                       RLENGTH - length(key) - 4) + 0 : 0
}

/"cpu":/ { print text("cpu") ", " number("cpus") " cpus" >(out "/machine") }

text("curve") != "" {
    workers = text("workload")
    sub(/.*\./, "", workers)
    curve = text("curve") "." (text("curve") ~ /^P6/ ? "n" : workers)
    size = number("size")
    cost = number("median")
    if (!(curve in last)) { order[++curves] = curve }
    if (size == 1000) { at_1000[curve] = cost }
    last_size[curve] = size
    last[curve] = cost
    print size, cost, number("best"), number("worst") >(out "/" curve ".dat")
}

END {
    for (i = 1; i <= curves; i++) {
        c = order[i]
        if (c in at_1000 && last_size[c] > 1000) {
            printf "%-18s at %8d costs %.2f x what it costs at 1,000\n", c,
                last_size[c], last[c] / at_1000[c]
        }
    }
    if (curves == 0) { print "plots: no curve in that file"; exit 1 }
}
