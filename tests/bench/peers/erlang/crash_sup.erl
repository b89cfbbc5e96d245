%% SPDX-License-Identifier: MIT
-module(crash_sup).
-behaviour(supervisor).
-export([start_link/0, init/1]).
start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).
init(_) ->
    logger:set_primary_config(level, none), % measure the restart, not the crash report's I/O
    {ok, {#{strategy => one_for_one, intensity => 1000000, period => 1},
          [#{id => c, start => {counter_srv, start_link, []}, restart => permanent}]}}.
