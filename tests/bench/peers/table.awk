# SPDX-License-Identifier: MIT
#
# table.awk -- awk -f rows.awk -f table.awk lines
#
# The lines of all rounds as one table, with ratios of medians.
#
# "0.25 x" says: Ambit costs a quarter of that peer.  For rates it is the
# inverse of the rates' ratio, so less is always better.

# The same work under one name; what differs is said behind the peer.
function file_under(name, peer,   at, cores) {
    at = match(name, /\.[12]c$/)
    cores = at ? substr(name, at) : ""
    if (at) { name = substr(name, 1, at - 1) }
    if (name ~ /^W8_/ && cores == "") { cores = ".1c" }
    note = ""
    if (name in rename) { note = rename[name]; sub(/^[^ ]* ?/, "", note) }
    if (name in rename) { split(rename[name], part, " "); name = part[1] }
    workload = name cores
    label = peer (note != "" ? " (" note ")" : "")
}

function verdict(r) {
    return r <= 1 ? "not worse" : r <= 1.25 ? "within noise" : "WORSE"
}

BEGIN {
    rename["W4_mpsc_unbounded"] = "W4_mpsc unbounded"
    rename["W1_spawn_join_each"] = "W1_spawn_join each by hand"
    rename["W8_mem_actor_gen_server"] = "W8_mem_actor gen_server"
    rename["W8_mem_actor_hibernated"] = "W8_mem_actor hibernated"
    rename["W8_mem_poll_task"] = "W8_mem_task poll task"
    rename["W8_mem_poll_task_100k"] = "W8_mem_task poll task, 100,000"
    rename["W8_mem_fiber"] = "W8_mem_task fiber"
    rename["W8_mem_fiber_100k"] = "W8_mem_task fiber, 100,000"
    rename["W1_spawn_join_poll"] = "W1_spawn_join poll tasks"
    rename["W12_cancel_flat_poll"] = "W12_cancel_flat poll tasks"
    rename["W15_wake_rtt_free"] = "W15_wake_rtt not pinned"
    rename["W8_mem_actor_100k"] = "W8_mem_actor 100,000"
    rename["W9_arm_cancel_100k_armed"] = "W9_arm_cancel 100,000 armed"
    rename["W9_arm_cancel_1m_armed"] = "W9_arm_cancel 1,000,000 armed"
    rename["W9_arm_cancel_now"] = "W9_arm_cancel and the clock read"
    rename["W9_deadline_scope"] = "W9_arm_cancel whole scope"
    rename["W12_abort_all_flat"] = "W12_cancel_flat abort_all"
    rename["W12_exit_links"] = "W12_cancel_tree untrapped links"
    rename["W13_blocking_default512"] = "W13_blocking 512 threads"
    rename["W13_blocking_call"] = "W13_blocking one by one"
}

NF >= 4 {
    file_under($1, $2)
    if (!(workload in unit)) { order[++workloads] = workload }
    unit[workload] = $4
    key = workload SUBSEP label
    if (!(key in samples)) {
        labels[workload] = labels[workload] (labels[workload] ? "\n" : "") label
    }
    samples[key] = samples[key] " " $3
    if (label ~ /^ambit/ && !(workload in ours)) { ours[workload] = label }
    if (label ~ /^ambit[^(]*( \(poll task\))?$/) { ours[workload] = label }
}

END {
    for (i = 1; i <= workloads; i++) {
        w = order[i]
        printf "\n%s, %s\n", w, unit[w]
        mine = w in ours ? median(samples[w SUBSEP ours[w]]) : 0
        n = split(labels[w], peer, "\n")
        for (k = 1; k <= n; k++) {
            value = median(samples[w SUBSEP peer[k]])
            runs = split(samples[w SUBSEP peer[k]], all, " ")
            printf "  %-34s %10.4g  n=%d", peer[k], value, runs
            if (mine > 0 && peer[k] !~ /^ambit/) {
                printf "   %.2f x", ratio(mine, value, unit[w])
            }
            print ""
            if (peer[k] == "go" && mine > 0) {
                r = ratio(mine, value, unit[w])
                said[++verdicts] = sprintf("verdict %-24s %5.2f x go: %s", w,
                    r, verdict(r))
                count[verdict(r)]++
            }
        }
    }
    print ""
    for (i = 1; i <= verdicts; i++) { print said[i] }
    printf "beside Go: %d not worse, %d within noise (up to 1.25 x), %d worse\n",
        count["not worse"], count["within noise"], count["WORSE"]
}
