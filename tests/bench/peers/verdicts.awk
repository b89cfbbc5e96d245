# SPDX-License-Identifier: MIT
#
# verdicts.awk -- awk -f rows.awk -f verdicts.awk targets lines
#
# A line for each target: reached, missed, or why there is no answer.  Nothing
# fails: a figure is never a test.

# The peer without its version, and without what raw programs say in brackets.
function name_of(peer) {
    sub(/\(.*/, "", peer)
    sub(/-[0-9][0-9.]*/, "", peer)
    return peer
}

function remember(row, peer, value, the_unit) {
    unit[row] = the_unit
    if (samples[row, peer] == "") {
        peers[row] = peers[row] (peers[row] == "" ? "" : " ") peer
    }
    samples[row, peer] = samples[row, peer] " " value
}

# Of the peers with tasks; who it is in best_name, who there was in best_of.
function best(row,   all, n, i, m, least) {
    n = split(peers[row], all, " ")
    best_name = best_of = ""
    for (i = 1; i <= n; i++) {
        if (all[i] == "ambit" || all[i] ~ /^raw/) { continue }
        best_of = best_of (best_of == "" ? "" : ", ") all[i]
        m = median(samples[row, all[i]])
        if (best_name == "" || (is_rate(unit[row]) ? m > least : m < least)) {
            least = m
            best_name = all[i]
        }
    }
    return best_name == "" ? 0 : least
}

# Theirs, for the target's `against`; whose it is in their_name.
function theirs(row, against,   part) {
    if (against == "best") {
        least = best(row)
        their_name = best_name == "" ? "the best of them" \
                                     : best_name " (best of " best_of ")"
        return least
    }
    their_name = against
    split(against, part, ":")
    if (part[1] == "self") {
        their_name = part[2]
        return median(samples[part[2], "ambit"])
    }
    if (part[2] != "") {
        return median(samples[part[2], part[1]])
    }
    return median(samples[row, against])
}

function say(word, text) {
    count[word]++
    printf "%-26s %s\n", target_row[t], text ": " word \
        (target_what[t] != "" ? "   (" target_what[t] ")" : "")
}

function judge(   mine, other, r, wanted) {
    mine = median(samples[target_row[t], "ambit"])
    wanted = target_most[t]
    if (mine == 0) {
        say("not measured", "wanted <= " wanted ", no row of ours")
        return
    }
    if (target_against[t] == "-") {
        say(mine <= wanted ? "reached" : "missed",
            sprintf("%.4g %s, wanted <= %s", mine, unit[target_row[t]], wanted))
        return
    }
    other = theirs(target_row[t], target_against[t])
    if (other == 0) {
        say("not measured", "wanted <= " wanted " x " their_name \
            ", which is missing")
        return
    }
    r = ratio(mine, other, unit[target_row[t]])
    say(r <= wanted ? "reached" : "missed",
        sprintf("%.2f x %s, wanted <= %s", r, their_name, wanted))
}

# The first file: the targets.
FNR == NR {
    if (/^#/ || NF < 3) { next }
    target_row[++targets] = $1
    target_against[targets] = $2
    target_most[targets] = $3
    $1 = $2 = $3 = ""
    sub(/^ +/, "")
    target_what[targets] = $0
    next
}

# The second: `row peer median unit ...`, a line for each round.
NF >= 4 { remember($1 ($1 ~ /\.[0-9]+c$/ ? "" : ".1c"), name_of($2), $3, $4) }

END {
    print "\ntargets, ours beside theirs"
    for (t = 1; t <= targets; t++) { judge() }
    printf "targets: %d reached, %d missed, %d not measured\n",
        count["reached"], count["missed"], count["not measured"]
}
