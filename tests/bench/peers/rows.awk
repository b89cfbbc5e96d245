# SPDX-License-Identifier: MIT
#
# rows.awk -- what table.awk and verdicts.awk share: `awk -f rows.awk -f ...`.

# Of a list of numbers with spaces between them.
function median(list,   v, n, i, k, swap) {
    n = split(list, v, " ")
    for (i = 2; i <= n; i++) {
        for (k = i; k > 1 && v[k - 1] + 0 > v[k] + 0; k--) {
            swap = v[k]; v[k] = v[k - 1]; v[k - 1] = swap
        }
    }
    return v[int(n / 2) + 1] + 0
}

# More is better.
function is_rate(unit) {
    return unit ~ /\/s$/ || unit == "kIOPS"
}

# How many times the peer's cost ours is; -1 when there is none.
function ratio(ours, theirs, unit) {
    if (ours == 0 || theirs == 0) { return -1 }
    return is_rate(unit) ? theirs / ours : ours / theirs
}
