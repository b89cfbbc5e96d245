%% SPDX-License-Identifier: MIT
%% Erlang peer. usage: erl ... -s bench main <workload> [arg]
-module(bench).
-export([main/1, echo_conn/1, sky/3]).
-define(REPS, env_number("BENCH_REPS", 5)).
-define(MIN, (env_number("BENCH_MIN_MS", 500) * 1000000)).

%% As for every peer; run.sh interleaves short runs of all of them.
env_number(Name, Otherwise) ->
    case os:getenv(Name) of false -> Otherwise; S -> list_to_integer(S) end.

now_ns() -> erlang:monotonic_time(nanosecond).
threads() -> erlang:system_info(schedulers_online).
w(S) -> io_lib:format("~s.~bc", [S, threads()]).

report(W, Unit, L, Higher) ->
    S = lists:sort(L),
    Best = case Higher of true -> lists:last(S); false -> hd(S) end,
    io:format("~s erlang-25 ~.2f ~s best=~.2f n=~b~n",
              [W, float(lists:nth(length(S) div 2 + 1, S)), Unit, float(Best), length(S)]).

%% Each repetition runs in a fresh process and lasts at least 0.5 s.
fresh(F) ->
    {P, M} = spawn_opt(fun() -> exit({result, F()}) end, [monitor]),
    receive {'DOWN', M, process, P, {result, R}} -> R; {'DOWN', M, process, P, E} -> exit(E) end.
rep(Ops, F) ->
    Min = ?MIN, T = now_ns(), N = rep_loop(T, Min, Ops, F, 0), {now_ns() - T, N}.
rep_loop(T, Min, Ops, F, N) ->
    F(),
    case now_ns() - T < Min of true -> rep_loop(T, Min, Ops, F, N + Ops); false -> N + Ops end.
bench_ns(W, Unit, Ops, F) ->
    report(W, Unit, [begin {E, N} = fresh(fun() -> rep(Ops, F) end), E / N end || _ <- lists:seq(1, ?REPS)], false).
bench_rate(W, Unit, Ops, F) ->
    report(W, Unit, [begin {E, N} = fresh(fun() -> rep(Ops, F) end), N * 1.0e3 / E end || _ <- lists:seq(1, ?REPS)], true).

main([W | Args]) ->
    run(atom_to_list(W), [atom_to_list(A) || A <- Args]),
    halt(0, [{flush, true}]).

times(0, _) -> ok;
times(N, F) -> F(), times(N - 1, F).

%% W1: spawn 1,000 monitored processes, then wait for every 'DOWN' (the language's own join).
spawn_some(0, L) -> L;
spawn_some(N, L) -> {_, M} = spawn_monitor(fun() -> ok end), spawn_some(N - 1, [M | L]).
join_all([]) -> ok;
join_all([M | T]) -> receive {'DOWN', M, process, _, normal} -> join_all(T) end.
join_any(0) -> ok;
join_any(N) -> receive {'DOWN', _, process, _, normal} -> join_any(N - 1) end.

yield_loop(0) -> ok;
yield_loop(N) -> erlang:yield(), yield_loop(N - 1).

ping(_, 0) -> ok;
ping(P, N) -> P ! {self(), N}, receive {pong, N} -> ping(P, N - 1) end.
pong() -> receive {F, N} -> F ! {pong, N}, pong(); stop -> ok end.

produce(_, 0) -> ok;
produce(C, N) -> C ! N, produce(C, N - 1).
consume(0, S) -> S;
consume(N, S) -> receive V -> consume(N - 1, S + V) end.

sky(Parent, Num, 1) -> Parent ! Num;
sky(Parent, Num, Size) ->
    Me = self(), Sub = Size div 10,
    [spawn(fun() -> sky(Me, Num + I * Sub, Sub) end) || I <- lists:seq(0, 9)],
    Parent ! consume(10, 0).

ring(Next, Main) -> receive 0 -> Main ! done; N when is_integer(N) -> Next ! N - 1, ring(Next, Main) end.
ring_first(Main) -> receive {next, P} -> ring(P, Main) end.

rss() ->
    {ok, B} = file:read_file("/proc/self/status"),
    {match, [K]} = re:run(B, "VmRSS:\\s+(\\d+)", [{capture, all_but_first, list}]),
    list_to_integer(K) * 1024.
cpu_s() ->  % utime + stime of the whole process, in clock ticks of 10 ms
    {ok, B} = file:read_file("/proc/self/stat"),
    [_, R] = string:split(B, ") ", trailing),
    F = string:lexemes(R, " "),
    (binary_to_integer(lists:nth(12, F)) + binary_to_integer(lists:nth(13, F))) / 100.

sleeper(Parent, D) ->
    T = now_ns(),
    receive after D -> ok end,
    Parent ! (now_ns() - T - D * 1000000).
collect(0, L) -> L;
collect(N, L) -> receive V -> collect(N - 1, [V | L]) end.

%% W12: 10-ary tree; a node ends after its children. Cancel = exit(Root, shutdown), carried by links;
%% every node traps exits and waits for its children, as a supervisor does.
node(_Depth = 0, _Parent, Main) -> Main ! up, receive {'EXIT', _, shutdown} -> exit(shutdown) end;
node(D, Parent, Main) ->
    Me = self(),
    Kids = [spawn_link(fun() -> process_flag(trap_exit, true), node(D - 1, Me, Main) end) || _ <- lists:seq(1, 10)],
    Main ! up,
    receive {'EXIT', Parent, shutdown} -> [exit(K, shutdown) || K <- Kids] end,
    [receive {'EXIT', K, _} -> ok end || K <- Kids],
    exit(shutdown).
%% The cheaper way: untrapped links, where the exit signal itself ends every process.
leaf(0, Main) -> Main ! up, receive never -> ok end;
leaf(D, Main) ->
    [spawn_link(fun() -> leaf(D - 1, Main) end) || _ <- lists:seq(1, 10)],
    Main ! up, receive never -> ok end.
ups(0) -> ok;
ups(N) -> receive up -> ups(N - 1) end.
cancel_trapped() ->
    Main = self(),
    {Root, M} = spawn_opt(fun() -> process_flag(trap_exit, true), node(5, Main, Main) end, [monitor]),
    ups(111111), timer:sleep(20),
    T = now_ns(),
    Root ! {'EXIT', Main, shutdown},
    receive {'DOWN', M, process, _, _} -> ok end,
    now_ns() - T.
cancel_links() ->
    Main = self(), P0 = erlang:system_info(process_count),
    {Root, M} = spawn_opt(fun() -> leaf(5, Main) end, [monitor]),
    ups(111111), timer:sleep(20),
    T = now_ns(),
    exit(Root, shutdown),
    receive {'DOWN', M, process, _, _} -> ok end,
    wait_count(P0),
    now_ns() - T.
wait_count(P0) -> case erlang:system_info(process_count) =< P0 of true -> ok; false -> erlang:yield(), wait_count(P0) end.
tree_bench(W, F) ->
    report(W, "ns/task", [begin
        {S, N} = tree_rep(F, 0, 0), S / N end || _ <- lists:seq(1, ?REPS)], false).
tree_rep(F, S, N) ->
    case S >= ?MIN of true -> {S, N}; false -> tree_rep(F, S + fresh(F), N + 111111) end.

run("W1", _) ->
    bench_ns(w("W1_spawn_join"), "ns/task", 1000000, fun() -> times(1000, fun() -> spawn_some(1000, []), join_any(1000) end) end);
run("W1m", _) ->
    bench_ns(w("W1_spawn_join_byref"), "ns/task", 1000000, fun() -> times(1000, fun() -> join_all(spawn_some(1000, [])) end) end);
run("W2", _) ->
    bench_ns(w("W2_yield"), "ns/switch", 10000000, fun() ->
        [spawn_monitor(fun() -> yield_loop(5000000) end) || _ <- [1, 2]], join_any(2) end);
run("W3", _) ->
    bench_ns(w("W3_pingpong_actors"), "ns/rtt", 1000000, fun() ->
        P = spawn(fun pong/0), ping(P, 1000000), P ! stop end),
    threads() > 1 andalso bench_ns("W3_pingpong_actors_forced.2c", "ns/rtt", 1000000, fun() ->
        P = spawn_opt(fun pong/0, [{scheduler, 2}]),
        {_, M} = spawn_opt(fun() -> ping(P, 1000000) end, [monitor, {scheduler, 1}]),
        receive {'DOWN', M, process, _, _} -> P ! stop end end);
run("W4", _) ->
    bench_rate(w("W4_mpsc_unbounded"), "Mmsg/s", 10000000, fun() ->
        {C, M} = spawn_opt(fun() -> consume(10000000, 0) end, [monitor, {message_queue_data, off_heap}]),
        [spawn(fun() -> produce(C, 2500000) end) || _ <- [1, 2, 3, 4]],
        receive {'DOWN', M, process, _, _} -> ok end end);
run("W5", _) ->
    bench_ns(w("W5_skynet"), "ms", 1000000, fun() ->
        Me = self(), spawn(fun() -> sky(Me, 0, 1000000) end),
        receive 499999500000 -> ok end end);
run("W6", _) ->
    bench_ns(w("W6_threadring"), "ns/hop", 5000000, fun() ->
        Main = self(),
        First = spawn_link(fun() -> ring_first(Main) end),
        Last = lists:foldl(fun(_, Nx) -> spawn_link(fun() -> ring(Nx, Main) end) end, First, lists:seq(1, 999)),
        First ! {next, Last}, First ! 5000000,
        receive done -> unlink(First), exit(First, kill) end end);
run("W7", _) ->
    bench_ns(w("W7_call"), "ns/call", 1000000, fun() ->
        {ok, S} = counter_srv:start(),
        times(1000000, fun() -> gen_server:call(S, 1) end),
        gen_server:stop(S) end);
run("W8t", _) -> mem("W8_mem_task", fun() -> spawn(fun() -> receive stop -> ok end end) end);
run("W8a", _) -> mem("W8_mem_actor_gen_server", fun() -> {ok, P} = counter_srv:start(), P end);
run("W8h", _) -> mem("W8_mem_actor_hibernated", fun() -> {ok, P} = counter_srv:start_hib(), P end);
run("W9s", _) ->
    R = [begin
        C0 = cpu_s(),
        L = fresh(fun() ->
            process_flag(message_queue_data, off_heap), % a million waiting messages must not be roots of every GC
            Me = self(),
            times(1000000, fun() -> D = rand:uniform(1000) - 1, spawn(fun() -> sleeper(Me, D) end) end),
            lists:nth(990000, lists:sort(collect(1000000, []))) end),
        {cpu_s() - C0, L / 1.0e6} end || _ <- lists:seq(1, ?REPS)],
    {C, L} = lists:unzip(R),
    report(w("W9_sleep_cpu"), "cpu_s", C, false),
    report(w("W9_sleep_late_p99"), "ms", L, false);
run("W9a", _) ->
    bench_ns(w("W9_arm_cancel"), "ns/op", 5000000, fun() -> arm(5000000) end);
run("W10", [Port]) ->
    {ok, L} = gen_tcp:listen(list_to_integer(Port), [binary, {ip, {127,0,0,1}}, {active, false}, {nodelay, true}, {reuseaddr, true}, {backlog, 1024}, {packet, raw}]),
    accept(L, echo_conn);
run("W12", _) ->
    tree_bench(w("W12_cancel_tree"), fun cancel_trapped/0),
    tree_bench(w("W12_exit_links"), fun cancel_links/0);
run("W17", _) ->
    %% A fresh supervisor every 100 crashes: it keeps every restart of the last period in a list and
    %% walks it on each restart, so 10,000 crashes within a second would measure that walk.
    S = lists:sort(lists:append([begin
        {ok, Sup} = crash_sup:start_link(),
        R = [crash_once() || _ <- lists:seq(1, 100)],
        unlink(Sup), M = monitor(process, Sup), exit(Sup, shutdown),
        receive {'DOWN', M, process, _, _} -> R end
    end || _ <- lists:seq(1, 100)])),
    io:format("W17_restart_median.~bc erlang-25 ~.2f us best=~.2f n=10000~n", [threads(), lists:nth(5000, S) / 1000, hd(S) / 1000]),
    io:format("W17_restart_p99.~bc erlang-25 ~.2f us best=~.2f n=10000~n", [threads(), lists:nth(9900, S) / 1000, hd(S) / 1000]).

crash_once() ->
    P = whereis(counter_srv),
    T = now_ns(),
    P ! crash,
    ask(P, T).
%% The first successful call to the restarted, registered server ends the measurement.
ask(Old, T) ->
    case whereis(counter_srv) of
        undefined -> erlang:yield(), ask(Old, T);
        Old -> erlang:yield(), ask(Old, T);
        P -> try gen_server:call(P, 1) of _ -> now_ns() - T catch exit:_ -> ask(Old, T) end
    end.

arm(0) -> ok;
arm(N) -> T = erlang:start_timer(1000 + (N band 1023), self(), x), erlang:cancel_timer(T), arm(N - 1).

mem(W, F) ->
    erlang:garbage_collect(), R0 = rss(),
    L = [F() || _ <- lists:seq(1, 1000000)],
    timer:sleep(2000),
    B = (rss() - R0) / 1000000,
    io:format("~s erlang-25 ~.1f bytes/actor best=~.1f n=1~n", [W, B, B]), length(L).

accept(L, F) ->
    {ok, S} = gen_tcp:accept(L),
    P = spawn(fun() -> receive go -> apply(?MODULE, F, [S]) end end),
    ok = gen_tcp:controlling_process(S, P), P ! go,
    accept(L, F).
echo_conn(S) -> inet:setopts(S, [{active, 100}]), echo_loop(S).
echo_loop(S) ->
    receive
        {tcp, S, D} -> gen_tcp:send(S, D), echo_loop(S);
        {tcp_passive, S} -> inet:setopts(S, [{active, 100}]), echo_loop(S);
        {tcp_closed, S} -> ok
    end.
