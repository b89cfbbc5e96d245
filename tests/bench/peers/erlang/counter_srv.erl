%% SPDX-License-Identifier: MIT
-module(counter_srv).
-behaviour(gen_server).
-export([start/0, start_hib/0, start_link/0, init/1, handle_call/3, handle_cast/2, handle_info/2]).
start() -> gen_server:start(?MODULE, none, []).
start_hib() -> gen_server:start(?MODULE, hib, []).
start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, none, []).
init(hib) -> {ok, 0, hibernate};
init(_) -> {ok, 0}.
handle_call(X, _, N) -> {reply, N + X, N + X}.
handle_cast(_, N) -> {noreply, N}.
handle_info(crash, _) -> exit(crashed);
handle_info(_, N) -> {noreply, N}.
