/* SPDX-License-Identifier: MIT */
/*
 * table.c -- all scenarios in one row.
 */
#include "tests/lab/scenario.h"

bool disturbed, in_order;

const struct scenario *scenario_at(size_t index)
{
    const struct scenario_list *const lists[] = {
        &region_scenarios, &cancel_scenarios,  &task_scenarios,
        &net_scenarios,    &actor_scenarios,   &server_scenarios,
        &call_scenarios,   &combine_scenarios, &budget_scenarios,
        &duty_scenarios,   &group_scenarios,   &tree_scenarios,
        &ring_paths_scenarios, &ring_room_scenarios, &channel_bound_scenarios,
        &stream_close_scenarios, &closed_scenarios, &line_scenarios,
        &kin_scenarios,
        &sync_scenarios,   &channel_scenarios, &stream_scenarios,
        &sched_scenarios,  &ring_scenarios,    &boundary_scenarios,
        &await_scenarios,  &await_task_scenarios, &await_actor_scenarios,
        &await_net_scenarios, &await_file_scenarios, &await_flow_scenarios,
        &async_scenarios,
        &await_end_scenarios, &await_limit_scenarios,
        &await_room_scenarios, &boundary_flow_scenarios,
        &boundary_rule_scenarios, &boundary_life_scenarios, &steal_scenarios,
        &runtime_scenarios,
        &turn_scenarios,   &outside_scenarios, &lane_scenarios,
        &place_scenarios,  &rest_scenarios,    &yield_scenarios,
        &await_back_scenarios,
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (index < lists[i]->len) {
            return &lists[i]->first[index];
        }
        index -= lists[i]->len;
    }
    return NULL;
}
