%% Reference runner for the supervision scenario language (see README.md).
%%! +S 1:1 +A 1 -noinput
%%
%% usage: escript otp_runner.erl [--no-reports] [--out DIR] FILE...
%%
%% Runs every scenario file on the real supervisor implementations and prints
%% the canonical trace (or writes DIR/NAME.trace for each FILE when --out is
%% given).  Exit status: 0 all ran, 1 a file did not parse, 2 a scenario hung.
%%
%% The emulator is limited to one scheduler on purpose: then every exit signal
%% is delivered before another process runs, so the order in which the recorder
%% sees processes die is the order in which they died.
-module(otp_runner).
-mode(compile).
-export([main/1]).
%% used by the processes under test
-export([init/1, start_entry/2, start_entry/3, worker_init/5, log/2]).

-define(TAB, otp_runner_tab).
-define(WATCHDOG, 60000).

%%% ------------------------------------------------------------------
%%% command line
%%% ------------------------------------------------------------------

main(Args) ->
    {Opts, Files} = opts(Args, #{reports => true, out => none}),
    Files =/= [] orelse usage(),
    _ = logger:remove_handler(default),
    find_dynamic_supervisor(),
    preload(),
    Bad = lists:foldl(fun(F, Acc) -> run_file(F, Opts) + Acc end, 0, Files),
    erlang:halt(case Bad of 0 -> 0; _ -> 1 end).

opts(["--no-reports" | T], O) -> opts(T, O#{reports := false});
opts(["--out", Dir | T], O) -> opts(T, O#{out := Dir});
opts(["--" | T], O) -> {O, T};
opts(["-" ++ _ | _], _) -> usage();
opts(Files, O) -> {O, Files}.

usage() ->
    io:format(standard_error,
              "usage: escript otp_runner.erl [--no-reports] [--out DIR] FILE...~n", []),
    erlang:halt(1).

%% The beams of the dynamic supervisor are found through ELIXIR_EBIN or the
%% elixir program; without them only scenarios with strategy=dynamic fail.
find_dynamic_supervisor() ->
    case code:which('Elixir.DynamicSupervisor') of
        non_existing ->
            Dir = case os:getenv("ELIXIR_EBIN") of
                      false -> ask_elixir();
                      D -> D
                  end,
            _ = code:add_pathz(Dir),
            ok;
        _ -> ok
    end.

%% No code loading may happen while a scenario runs: it would make a process
%% look idle while it waits for the code server.
preload() ->
    [_ = code:ensure_loaded(M)
     || M <- [supervisor, gen_server, gen, sys, proc_lib, logger, logger_backend,
              logger_config, logger_server, logger_filters, error_logger, io_lib,
              'Elixir.DynamicSupervisor', 'Elixir.GenServer', 'Elixir.Supervisor',
              'Elixir.Process', 'Elixir.Keyword', 'Elixir.Map', 'Elixir.Enum',
              'Elixir.Access', 'Elixir.Kernel', 'Elixir.List', 'Elixir.Exception']],
    ok.

ask_elixir() ->
    case os:find_executable("elixir") of
        false -> ".";
        Exe ->
            R = os:cmd(Exe ++ " -e ':io.put_chars(:filename.join(:code.lib_dir(:elixir), ~c\"ebin\"))'"
                       " 2>/dev/null"),
            string:trim(lists:last(string:split(R, "\n", all)))
    end.

run_file(File, #{out := Out} = Opts) ->
    case file:read_file(File) of
        {ok, Bin} ->
            try parse(Bin) of
                Scenario ->
                    Trace = run(Scenario, Opts, File),
                    case Out of
                        none -> io:put_chars(Trace);
                        Dir ->
                            Name = filename:basename(File, filename:extension(File)) ++ ".trace",
                            ok = file:write_file(filename:join(Dir, Name), Trace)
                    end,
                    0
            catch
                throw:{syntax, Line, Why} ->
                    io:format(standard_error, "~ts:~w: ~ts~n", [File, Line, Why]),
                    1
            end;
        {error, E} ->
            io:format(standard_error, "~ts: ~p~n", [File, E]),
            1
    end.

%%% ------------------------------------------------------------------
%%% parsing
%%% ------------------------------------------------------------------

parse(Bin) ->
    Lines = string:split(unicode:characters_to_list(Bin), "\n", all),
    Num = lists:zip(lists:seq(1, length(Lines)), Lines),
    Toks = [{N, T} || {N, L} <- Num, T <- [tokens(L)], T =/= []],
    {Decl, Rest} = lists:splitwith(fun({_, [W | _]}) -> W =/= "run" end, Toks),
    case Rest of
        [{_, ["run"]} | Acts] ->
            D = decls(Decl, #{root => none, decl => #{}, kids => #{}}),
            maps:get(root, D) =/= none orelse throw({syntax, 1, "no root supervisor"}),
            check_decls(D),
            D#{actions => [action(A, D) || A <- Acts]};
        [{N, _} | _] -> throw({syntax, N, "run takes no argument"});
        [] -> throw({syntax, length(Lines), "no run line"})
    end.

tokens(Line) ->
    string:lexemes(hd(string:split(Line, "#")), " \t\r").

decls([], D) -> D;
decls([{N, ["sup", Name | Opts]} | T], D) ->
    O = sup_opts(N, Opts),
    decls(T, declare(N, name(N, Name), O#{kind => sup}, D));
decls([{N, ["child", Name | Opts]} | T], D) ->
    O = child_opts(N, Opts),
    maps:is_key(in, O) orelse throw({syntax, N, "child needs in="}),
    decls(T, declare(N, name(N, Name), O#{kind => worker}, D));
decls([{N, ["spec", Name | Opts]} | T], D) ->
    O = child_opts(N, Opts),
    maps:is_key(in, O) andalso throw({syntax, N, "spec takes no in="}),
    decls(T, declare(N, name(N, Name), O#{kind => worker}, D));
decls([{N, [W | _]} | _], _) ->
    throw({syntax, N, "unknown declaration " ++ W}).

declare(N, Name, O, #{root := Root, decl := Decl, kids := Kids} = D) ->
    case O of
        #{in := Sup} ->
            case Decl of
                #{Sup := #{kind := sup}} -> ok;
                _ -> throw({syntax, N, "in= names no supervisor declared above"})
            end,
            %% a repeated identical name is allowed below one supervisor: it
            %% is the duplicate identifier case
            K = maps:get(Sup, Kids, []),
            case maps:is_key(Name, Decl) andalso not lists:member(Name, K) of
                true -> throw({syntax, N, "name used twice"});
                false -> ok
            end,
            D#{decl := Decl#{Name => O}, kids := Kids#{Sup => K ++ [Name]}};
        #{kind := sup} ->
            Root =:= none orelse throw({syntax, N, "only one root supervisor"}),
            D#{root := Name, decl := Decl#{Name => O}};
        _ ->
            maps:is_key(Name, Decl) andalso throw({syntax, N, "name used twice"}),
            D#{decl := Decl#{Name => O}}
    end.

check_decls(#{decl := Decl, kids := Kids}) ->
    maps:foreach(
      fun(Name, #{kind := sup, strategy := S}) ->
              K = maps:get(Name, Kids, []),
              case S of
                  simple_one_for_one when length(K) =/= 1 ->
                      throw({syntax, 1, "simple_one_for_one takes exactly one child"});
                  dynamic when K =/= [] ->
                      throw({syntax, 1, "dynamic takes no declared child"});
                  dynamic ->
                      code:is_loaded('Elixir.DynamicSupervisor') =/= false orelse
                          throw({syntax, 1, "no DynamicSupervisor found, set ELIXIR_EBIN"});
                  _ -> ok
              end;
         (_, #{shutdown := infinity, stop := never}) ->
              throw({syntax, 1, "stop=never with shutdown=infinity would never end"});
         (_, _) -> ok
      end, Decl).

name(N, Str) ->
    case re:run(Str, "^[a-z][a-z0-9_]*$") of
        nomatch -> throw({syntax, N, "bad name " ++ Str});
        _ -> list_to_atom(Str)
    end.

sup_opts(N, Opts) ->
    D0 = #{strategy => one_for_one, intensity => 3, period => 3600,
           auto_shutdown => never, max_children => infinity,
           restart => permanent, shutdown => infinity, type => supervisor,
           significant => false, start => [ok], stop => ok},
    lists:foldl(fun(O, Acc) -> opt(N, O, sup, Acc) end, D0, Opts).

child_opts(N, Opts) ->
    D0 = #{restart => permanent, shutdown => 5000, type => worker,
           significant => false, start => [ok], stop => ok},
    lists:foldl(fun(O, Acc) -> opt(N, O, worker, Acc) end, D0, Opts).

opt(N, Str, Kind, Acc) ->
    case string:split(Str, "=") of
        [K, V] -> opt(N, K, V, Kind, Acc);
        _ -> throw({syntax, N, "option without = : " ++ Str})
    end.

opt(N, "in", V, _, A) -> A#{in => name(N, V)};
opt(N, "restart", V, _, A) -> A#{restart := one_of(N, V, [permanent, transient, temporary])};
opt(N, "significant", V, _, A) -> A#{significant := one_of(N, V, [true, false])};
opt(N, "type", V, worker, A) -> A#{type := one_of(N, V, [worker, supervisor])};
opt(_, "shutdown", "brutal_kill", _, A) -> A#{shutdown := brutal_kill};
opt(_, "shutdown", "infinity", _, A) -> A#{shutdown := infinity};
opt(N, "shutdown", V, _, A) -> A#{shutdown := int(N, V)};
opt(N, "start", V, Kind, A) -> A#{start := [outcome(N, S, Kind) || S <- split_top(V)]};
opt(N, "stop", V, worker, A) -> A#{stop := stop_mode(N, V)};
opt(N, "strategy", V, sup, A) ->
    A#{strategy := one_of(N, V, [one_for_one, one_for_all, rest_for_one,
                                 simple_one_for_one, dynamic])};
opt(N, "intensity", V, sup, A) -> A#{intensity := int(N, V)};
opt(N, "period", V, sup, A) -> A#{period := int(N, V)};
opt(N, "auto_shutdown", V, sup, A) ->
    A#{auto_shutdown := one_of(N, V, [never, any_significant, all_significant])};
opt(_, "max_children", "infinity", sup, A) -> A#{max_children := infinity};
opt(N, "max_children", V, sup, A) -> A#{max_children := int(N, V)};
opt(N, K, _, _, _) -> throw({syntax, N, "unknown option " ++ K}).

one_of(N, V, Allowed) ->
    case [A || A <- Allowed, atom_to_list(A) =:= V] of
        [A] -> A;
        [] -> throw({syntax, N, "bad value " ++ V})
    end.

int(N, V) ->
    try list_to_integer(V) of
        I when I >= 0 -> I;
        _ -> throw({syntax, N, "bad number " ++ V})
    catch error:_ -> throw({syntax, N, "bad number " ++ V})
    end.

outcome(N, "gate:" ++ S, Kind) -> {gate, outcome(N, S, Kind)};
outcome(_, "ok", _) -> ok;
outcome(_, "ignore", _) -> ignore;
outcome(N, "fail:" ++ R, _) -> {fail, reason(N, R)};
outcome(N, "die:" ++ R, worker) -> {die, reason(N, R)};
outcome(N, S, _) -> throw({syntax, N, "bad start outcome " ++ S}).

stop_mode(_, "ok") -> ok;
stop_mode(_, "never") -> never;
stop_mode(N, "slow:" ++ Ms) -> {slow, int(N, Ms)};
stop_mode(N, "exit:" ++ R) -> {exit, reason(N, R)};
stop_mode(N, S) -> throw({syntax, N, "bad stop mode " ++ S}).

reason(N, Str) ->
    case erl_scan:string(Str ++ ".") of
        {ok, T, _} ->
            case erl_parse:parse_term(T) of
                {ok, Term} -> Term;
                _ -> throw({syntax, N, "bad reason " ++ Str})
            end;
        _ -> throw({syntax, N, "bad reason " ++ Str})
    end.

%% split at commas that are not inside braces
split_top(S) -> split_top(S, 0, [], []).
split_top([], _, Cur, Acc) -> lists:reverse([lists:reverse(Cur) | Acc]);
split_top([$, | T], 0, Cur, Acc) -> split_top(T, 0, [], [lists:reverse(Cur) | Acc]);
split_top([${ | T], D, Cur, Acc) -> split_top(T, D + 1, [${ | Cur], Acc);
split_top([$} | T], D, Cur, Acc) -> split_top(T, D - 1, [$} | Cur], Acc);
split_top([C | T], D, Cur, Acc) -> split_top(T, D, [C | Cur], Acc).

action({N, [V | Args]}, #{decl := Decl, root := Root}) ->
    IsSup = fun(S) -> case Decl of #{S := #{kind := sup}} -> S;
                          _ -> throw({syntax, N, "not a supervisor"}) end end,
    Act = case {V, Args} of
              {"exit", [A, R]} -> {exit, name(N, A), reason(N, R)};
              {"kill", [A]} ->
                  X = name(N, A),
                  case Decl of
                      #{X := #{kind := sup}} when X =/= Root ->
                          throw({syntax, N, "kill of a nested supervisor"});
                      _ -> ok
                  end,
                  {kill, X};
              {"unlink", [A]} -> {unlink, name(N, A)};
              {"start_child", [S, A]} -> {call, start_child, IsSup(name(N, S)), name(N, A)};
              {"terminate_child", [S, A]} -> {call, terminate_child, IsSup(name(N, S)), name(N, A)};
              {"restart_child", [S, A]} -> {call, restart_child, IsSup(name(N, S)), name(N, A)};
              {"delete_child", [S, A]} -> {call, delete_child, IsSup(name(N, S)), name(N, A)};
              {"get_childspec", [S, A]} -> {call, get_childspec, IsSup(name(N, S)), name(N, A)};
              {"which_children", [S]} -> {call, which_children, IsSup(name(N, S)), none};
              {"count_children", [S]} -> {call, count_children, IsSup(name(N, S)), none};
              {"stop", [S, R]} -> {call, stop, IsSup(name(N, S)), reason(N, R)};
              {"parent_exit", [R]} -> {parent_exit, reason(N, R)};
              {"foreign_exit", [S, R]} ->
                  R1 = reason(N, R),
                  R1 =/= kill orelse throw({syntax, N, "use kill"}),
                  {foreign_exit, IsSup(name(N, S)), R1};
              {"message", [S, W]} -> {message, IsSup(name(N, S)), name(N, W)};
              {"release", []} -> release;
              {"sleep", [Ms]} -> {sleep, int(N, Ms)};
              _ -> throw({syntax, N, "bad action " ++ lists:join(" ", [V | Args])})
          end,
    {lists:flatten(lists:join(" ", [V | Args])), Act}.

%%% ------------------------------------------------------------------
%%% running one scenario
%%% ------------------------------------------------------------------

run(Scenario, #{reports := Reports}, File) ->
    _ = (catch ets:delete(?TAB)),
    ?TAB = ets:new(?TAB, [named_table, public, set]),
    Me = self(),
    Dog = spawn(fun() -> receive stop -> ok
                         after ?WATCHDOG ->
                                 io:format(standard_error, "~ts: hung~n", [File]),
                                 erlang:halt(2)
                         end end),
    #{decl := Decl, kids := Kids, root := Root, actions := Actions} = Scenario,
    maps:foreach(fun(Name, O) -> ets:insert(?TAB, {{decl, Name}, O}) end, Decl),
    maps:foreach(fun(S, K) -> ets:insert(?TAB, {{kids, S}, K}) end, Kids),
    ets:insert(?TAB, {root, Root}),
    ets:insert(?TAB, {reports, Reports}),
    Rec = spawn_link(fun() -> recorder(#{events => [], count => 0, procs => #{}}) end),
    ets:insert(?TAB, {recorder, Rec}),
    case Reports of
        true -> ok = logger:add_handler(?MODULE, ?MODULE, #{level => error});
        false -> ok
    end,
    Holder = spawn(fun() -> holder(Me, Root) end),
    St0 = #{holder => Holder, pending => [], out => []},
    St1 = step("start", start, St0),
    St2 = lists:foldl(fun({Echo, Act}, S) -> step(Echo, Act, S) end, St1, Actions),
    St3 = step("end", finish, St2),
    _ = logger:remove_handler(?MODULE),
    cleanup(Rec, Holder),
    Dog ! stop,
    flush_mailbox(),
    lists:reverse(maps:get(out, St3)).

flush_mailbox() -> receive _ -> flush_mailbox() after 0 -> ok end.

cleanup(Rec, Holder) ->
    unlink(Rec),
    exit(Holder, kill),
    Left = rec_call(live),
    [exit(P, kill) || P <- Left],
    [begin M = monitor(process, P), receive {'DOWN', M, _, _, _} -> ok end end || P <- Left],
    exit(Rec, kill),
    ok.

%% One action: do it, wait until nothing moves, print what happened.
step(Echo, Act, St) ->
    {Res, St1} = act(Act, St),
    quiesce(),
    {Late, Res1, St2} = replies(Res, St1),
    Events = rec_call(take),
    Lines = [["> ", Echo, "\n"],
             [["  ", L, "\n"] || L <- canonical(Act, Events)],
             [["~ ", E, " = ", R, "\n"] || {E, R} <- Late],
             ["= ", Res1, "\n"]],
    Out = lists:foldl(fun(L, O) -> [L | O] end, maps:get(out, St2), Lines),
    St2#{out := Out}.

%% Collect the answers that arrived; the one of this action is its result, the
%% others were pending from earlier actions.
replies(Res, #{pending := Pend} = St) ->
    {Done, Still} = lists:foldl(
                      fun({Ref, _, _} = P, {D, S}) ->
                              receive {reply, Ref, R} -> {[{P, R} | D], S}
                              after 0 -> {D, [P | S]}
                              end
                      end, {[], []}, Pend),
    DoneL = lists:reverse(Done),
    St1 = St#{pending := lists:reverse(Still)},
    case Res of
        {wait, Ref} ->
            Late = [{E, fmt_result(C, R)} || {{X, C, E}, R} <- DoneL, X =/= Ref],
            Mine = [fmt_result(C, R) || {{X, C, _}, R} <- DoneL, X =:= Ref],
            {Late, case Mine of [M] -> M; [] -> "pending" end, St1};
        Text ->
            {[{E, fmt_result(C, R)} || {{_, C, E}, R} <- DoneL], Text, St1}
    end.

act(start, #{holder := H, pending := P} = St) ->
    Ref = make_ref(),
    ets:insert(?TAB, {{caller, H}, Ref}),
    H ! {start, Ref},
    {{wait, Ref}, St#{pending := P ++ [{Ref, start, "start"}]}};
act({exit, Name, Reason}, St) ->
    case rec_call({whereis, Name}) of
        {worker, Pid} ->
            Pid ! {do_exit, Reason},
            await_gone(Pid),
            {"ok", St};
        {sup, _} -> {"is_supervisor", St};
        none -> {"noproc", St}
    end;
act({kill, Name}, St) ->
    case rec_call({whereis, Name}) of
        none -> {"noproc", St};
        {_, Pid} ->
            exit(Pid, kill),
            await_gone(Pid),
            {"ok", St}
    end;
act({unlink, Name}, St) ->
    case rec_call({whereis, Name}) of
        {worker, Pid} ->
            Ref = make_ref(),
            Pid ! {do_unlink, self(), Ref},
            receive Ref -> ok end,
            {"ok", St};
        {sup, _} -> {"is_supervisor", St};
        none -> {"noproc", St}
    end;
act({call, Fun, Sup, Arg}, #{pending := P} = St) ->
    case call_thunk(Fun, Sup, Arg) of
        {skip, Text} -> {Text, St};
        {Ctx, Thunk} ->
            Me = self(),
            Ref = make_ref(),
            Caller = spawn(fun() ->
                                   R = guarded(Thunk),
                                   Me ! {reply, Ref, R},
                                   ets:delete(?TAB, {caller, self()})
                           end),
            ets:insert(?TAB, {{caller, Caller}, Ref}),
            Echo = call_echo(Fun, Sup, Arg),
            {{wait, Ref}, St#{pending := P ++ [{Ref, Ctx, Echo}]}}
    end;
act({parent_exit, Reason}, #{holder := H} = St) ->
    case rec_call({whereis, root()}) of
        none -> {"noproc", St};
        {_, Pid} ->
            parent_exit(H, Pid, Reason),
            {"ok", St}
    end;
act({foreign_exit, Sup, Reason}, St) ->
    case rec_call({whereis, Sup}) of
        none -> {"noproc", St};
        {_, Pid} ->
            M = element(2, spawn_monitor(fun() -> exit(Pid, Reason) end)),
            receive {'DOWN', M, _, _, _} -> ok end,
            {"ok", St}
    end;
act({message, Sup, Word}, St) ->
    case rec_call({whereis, Sup}) of
        none -> {"noproc", St};
        {_, Pid} -> Pid ! Word, {"ok", St}
    end;
act(release, St) ->
    case ets:take(?TAB, parked) of
        [{parked, Pid, Ref}] -> Pid ! Ref, {"ok", St};
        [] -> {"none", St}
    end;
act({sleep, Ms}, St) ->
    timer:sleep(Ms),
    {"ok", St};
act(finish, #{holder := H} = St) ->
    open_all(),
    case rec_call({whereis, root()}) of
        none -> {"ok", St};
        {_, Pid} ->
            parent_exit(H, Pid, shutdown),
            quiesce(),
            open_all(),
            {"ok", St}
    end.

parent_exit(H, Pid, Reason) ->
    Ref = make_ref(),
    H ! {parent_exit, self(), Ref, Pid, Reason},
    receive Ref -> ok end.

open_all() ->
    case ets:take(?TAB, parked) of
        [{parked, Pid, Ref}] -> Pid ! Ref, quiesce(), open_all();
        [] -> ok
    end.

await_gone(Pid) ->
    case rec_call({alive, Pid}) of
        true -> erlang:yield(), await_gone(Pid);
        false -> ok
    end.

root() -> ets:lookup_element(?TAB, root, 2).

decl(Name) ->
    case ets:lookup(?TAB, {decl, Name}) of
        [{_, O}] -> O;
        [] -> none
    end.

strategy(Sup) -> maps:get(strategy, decl(Sup)).

guarded(F) ->
    try F() catch
        exit:{R, {_, call, _}} -> {'exit', R};
        exit:{R, {_, stop, _}} -> {'exit', R};
        exit:{R, {sys, terminate, _}} -> {'exit', R};
        exit:R -> {'exit', R}
    end.

call_echo(Fun, Sup, none) -> io_lib:format("~w ~w", [Fun, Sup]);
call_echo(Fun, Sup, Arg) -> io_lib:format("~w ~w ~0p", [Fun, Sup, Arg]).

%% What to call for an action, and how its answer is to be printed.
call_thunk(Fun, Sup, Arg) ->
    case rec_call({whereis, Sup}) of
        none -> {skip, "exit noproc"};
        {sup, Pid} -> thunk(Fun, strategy(Sup), Sup, Pid, Arg)
    end.

thunk(start_child, simple_one_for_one, _, Pid, Label) ->
    case rec_call({whereis, Label}) of
        none -> {start, fun() -> supervisor:start_child(Pid, [Label]) end};
        _ -> {skip, "in_use"}
    end;
thunk(start_child, dynamic, Sup, Pid, Name) ->
    case {decl(Name), rec_call({whereis, Name})} of
        {none, _} -> {skip, "no_spec"};
        {_, none} ->
            Spec = maps:remove(significant, child_spec(Sup, Name)),
            {start, fun() -> 'Elixir.DynamicSupervisor':start_child(Pid, Spec) end};
        _ -> {skip, "in_use"}
    end;
thunk(start_child, _, Sup, Pid, Name) ->
    case decl(Name) of
        none -> {skip, "no_spec"};
        _ -> {start_static, fun() -> supervisor:start_child(Pid, child_spec(Sup, Name)) end}
    end;
thunk(terminate_child, S, _, Pid, Name) when S =:= simple_one_for_one; S =:= dynamic ->
    case ets:lookup(?TAB, {lastpid, Name}) of
        [{_, CPid}] when S =:= dynamic ->
            {plain, fun() -> 'Elixir.DynamicSupervisor':terminate_child(Pid, CPid) end};
        [{_, CPid}] ->
            {plain, fun() -> supervisor:terminate_child(Pid, CPid) end};
        [] -> {skip, "noproc"}
    end;
thunk(which_children, dynamic, _, Pid, _) ->
    {which_sorted, fun() -> 'Elixir.DynamicSupervisor':which_children(Pid) end};
thunk(count_children, dynamic, _, Pid, _) ->
    {count, fun() -> maps:to_list('Elixir.DynamicSupervisor':count_children(Pid)) end};
thunk(stop, dynamic, _, Pid, Reason) ->
    {plain, fun() -> 'Elixir.DynamicSupervisor':stop(Pid, Reason) end};
thunk(Fun, dynamic, _, _, _)
  when Fun =:= restart_child; Fun =:= delete_child; Fun =:= get_childspec ->
    {skip, "undefined"};
thunk(which_children, simple_one_for_one, _, Pid, _) ->
    {which_sorted, fun() -> supervisor:which_children(Pid) end};
thunk(which_children, _, _, Pid, _) ->
    {which, fun() -> supervisor:which_children(Pid) end};
thunk(count_children, _, _, Pid, _) ->
    {count, fun() -> supervisor:count_children(Pid) end};
thunk(stop, _, _, Pid, Reason) ->
    {plain, fun() -> gen_server:stop(Pid, Reason, infinity) end};
thunk(restart_child, _, _, Pid, Name) ->
    {start, fun() -> supervisor:restart_child(Pid, Name) end};
thunk(get_childspec, simple_one_for_one, _, _, _) ->
    {skip, "undefined"};
thunk(get_childspec, _, _, Pid, Name) ->
    {spec, fun() -> supervisor:get_childspec(Pid, Name) end};
thunk(terminate_child, _, _, Pid, Name) ->
    {plain, fun() -> supervisor:terminate_child(Pid, Name) end};
thunk(delete_child, _, _, Pid, Name) ->
    {plain, fun() -> supervisor:delete_child(Pid, Name) end}.

%%% ------------------------------------------------------------------
%%% printing
%%% ------------------------------------------------------------------

fmt_result(_, {'exit', R}) -> ["exit ", term(R)];
fmt_result(_, {ok, undefined}) -> "ok undefined";
fmt_result(_, ignore) -> "ignore";
fmt_result(_, ok) -> "ok";
fmt_result(start, {ok, Pid}) when is_pid(Pid) -> ["ok ", who(Pid)];
fmt_result(start_static, {ok, Pid}) when is_pid(Pid) -> ["ok ", who(Pid)];
fmt_result(_, {error, {already_started, Pid}}) when is_pid(Pid) ->
    ["error already_started ", who(Pid)];
fmt_result(start_static, {error, {Reason, Child}}) when element(1, Child) =:= child ->
    ["error ", term(Reason)];
fmt_result(Ctx, L) when Ctx =:= which; Ctx =:= which_sorted ->
    Es = [[case Id of undefined -> ""; _ -> [atom_to_list(Id), "="] end,
           case P of
               undefined -> "undefined";
               restarting -> "restarting";
               _ -> who(P)
           end, ":", atom_to_list(T)] || {Id, P, T, _} <- L],
    Fs = [lists:flatten(E) || E <- Es],
    Gs = case Ctx of which -> Fs; which_sorted -> lists:sort(Fs) end,
    ["[", lists:join(" ", Gs), "]"];
fmt_result(count, L) ->
    lists:join(" ", [io_lib:format("~w=~w", [K, proplists:get_value(K, L)])
                     || K <- [specs, active, supervisors, workers]]);
fmt_result(spec, {ok, #{id := I, restart := R, shutdown := S, type := T} = Spec}) ->
    io_lib:format("id=~w restart=~w shutdown=~w type=~w significant=~w",
                  [I, R, S, T, maps:get(significant, Spec, false)]);
fmt_result(_, {error, R}) -> ["error ", term(R)].

who(Pid) ->
    case ets:lookup(?TAB, {pid, Pid}) of
        [{_, Label, N}] -> inc(Label, N);
        [] -> "unknown"
    end.

inc(Label, N) -> [atom_to_list(Label), "#", integer_to_list(N)].

term(T) -> io_lib:format("~0p", [T]).

%% Events whose relative order is not defined (children of one dynamic
%% supervisor ending together, or of a killed root) are put in alphabetic
%% order.  The death that the action itself asked for, and the death of a
%% child that was started dead, keep their place.
canonical({kill, X}, Events) ->
    case X =:= root() of
        true -> lists:sort([lists:flatten(line(E)) || E <- Events]);
        false -> canonical({exit, X, kill}, Events)
    end;
canonical({exit, X, _}, [{exit, X, _, _} = E | T]) ->
    [lists:flatten(line(E)) | ordered(T)];
canonical(_, Events) ->
    ordered(Events).

ordered([]) -> [];
ordered([{start, L, N, ok} = A, {exit, L, N, _} = B | T]) ->
    [lists:flatten(line(A)), lists:flatten(line(B)) | ordered(T)];
ordered([E | T]) ->
    case key(E) of
        none -> [lists:flatten(line(E)) | ordered(T)];
        K ->
            {Same, Rest} = lists:splitwith(fun(X) -> key(X) =:= K end, T),
            lists:sort([lists:flatten(line(X)) || X <- [E | Same]]) ++ ordered(Rest)
    end.

key({exit, Label, _, _}) -> group(exit, parent_of(Label));
key({report, Sup, shutdown_error, _, _}) -> group(report, Sup);
key(_) -> none.

parent_of(Label) ->
    case ets:lookup(?TAB, {parent, Label}) of
        [{_, Sup}] -> Sup;
        [] -> none
    end.

group(_, none) -> none;
group(Tag, Sup) ->
    case strategy(Sup) of
        S when S =:= simple_one_for_one; S =:= dynamic -> {Tag, Sup};
        _ -> none
    end.

line({start, Label, N, Res}) ->
    ["start ", inc(Label, N), " ",
     case Res of
         {error, R} -> ["error ", term(R)];
         R -> atom_to_list(R)
     end];
line({exit, Label, N, R}) -> ["exit ", inc(Label, N), " ", term(R)];
line({report, Sup, Ctx, What, R}) ->
    ["report ", atom_to_list(Sup), " ", atom_to_list(Ctx), " ", What,
     case R of none -> ""; _ -> [" ", term(R)] end].

%%% ------------------------------------------------------------------
%%% waiting until nothing moves
%%% ------------------------------------------------------------------

quiesce() -> quiesce(0).

quiesce(4) -> ok;
quiesce(K) ->
    C0 = rec_call(count),
    erlang:yield(),
    Idle = lists:all(fun(P) -> sup_idle(P) end, rec_call(sups)),
    Busy = ets:match_object(?TAB, {{busy, '_'}, '_'}) =/= [],
    Callers = lists:all(fun([P]) -> caller_idle(P) end,
                        ets:match(?TAB, {{caller, '$1'}, '_'})),
    C1 = rec_call(count),
    case Idle andalso Callers andalso not Busy andalso C0 =:= C1 of
        true -> quiesce(K + 1);
        false -> timer:sleep(1), quiesce(0)
    end.

%% A supervisor is idle when it answers and has no child waiting for another
%% restart attempt, or when it is held at a gate.
sup_idle(Pid) ->
    case held(Pid) of
        true -> true;
        false ->
            R = gen_server:send_request(Pid, which_children),
            sup_idle(Pid, R)
    end.

sup_idle(Pid, R) ->
    case gen_server:wait_response(R, 10) of
        {reply, L} -> not lists:any(fun(C) -> element(2, C) =:= restarting end, L);
        {error, _} -> true;
        timeout ->
            case held(Pid) of
                true -> true;
                false -> sup_idle(Pid, R)
            end
    end.

%% A request without answer is only normal while some supervisor is held at a
%% gate, and then it must already be waiting for that answer.
caller_idle(Pid) ->
    ets:member(?TAB, parked) andalso
        case process_info(Pid, [status, current_function, message_queue_len]) of
            [{status, waiting}, {current_function, {M, _, _}}, {message_queue_len, 0}] ->
                lists:member(M, [gen, proc_lib, sys]);
            _ -> false
        end.

held(Pid) ->
    ets:member(?TAB, parked) andalso ets:member(?TAB, {starting, Pid}).

%%% ------------------------------------------------------------------
%%% the recorder: collects events in order
%%% ------------------------------------------------------------------

rec_call(Req) ->
    [{_, Rec}] = ets:lookup(?TAB, recorder),
    Ref = make_ref(),
    Rec ! {call, self(), Ref, Req},
    receive {Ref, R} -> R end.

recorder(S) ->
    receive
        {call, From, Ref, Req} ->
            {R, S1} = rec(Req, rec_flush(S)),
            From ! {Ref, R},
            recorder(S1);
        {'DOWN', M, process, _, Reason} ->
            recorder(rec_down(M, Reason, S))
    end.

%% Take in every death that already happened before anything else is recorded.
%% When some process is known dead its notice is on the way; notices are taken
%% strictly in arrival order.
rec_flush(S) ->
    receive
        {'DOWN', M, process, _, Reason} -> rec_flush(rec_down(M, Reason, S))
    after 0 ->
            Alive = lists:all(fun({_, _, P, _}) -> is_process_alive(P) end,
                              maps:values(maps:get(procs, S))),
            case Alive of
                true -> S;
                false ->
                    receive
                        {'DOWN', M, process, _, Reason} ->
                            rec_flush(rec_down(M, Reason, S))
                    end
            end
    end.

rec_down(M, Reason, #{procs := Procs} = S) ->
    case maps:take(M, Procs) of
        {{Label, N, Pid, Kind}, Procs1} ->
            ets:delete(?TAB, {busy, Pid}),
            ets:delete(?TAB, {starting, Pid}),
            S1 = S#{procs := Procs1},
            case Kind of
                newsup -> S1;
                _ -> add({exit, Label, N, Reason}, S1)
            end;
        error -> S
    end.

add(E, #{events := Es, count := C} = S) -> S#{events := [E | Es], count := C + 1}.

rec(take, #{events := Es} = S) -> {lists:reverse(Es), S#{events := []}};
rec(count, #{count := C} = S) -> {C, S};
rec(live, #{procs := P} = S) -> {[Pid || {_, {_, _, Pid, _}} <- maps:to_list(P)], S};
rec(sups, #{procs := P} = S) ->
    {[Pid || {_, {_, _, Pid, K}} <- lists:sort(maps:to_list(P)), K =:= sup orelse K =:= newsup], S};
rec({alive, Pid}, #{procs := P} = S) ->
    {lists:any(fun({_, {_, _, X, _}}) -> X =:= Pid end, maps:to_list(P)), S};
rec({whereis, Label}, #{procs := P} = S) ->
    Found = [{N, K, Pid} || {_, {L, N, Pid, K}} <- maps:to_list(P), L =:= Label],
    {case lists:reverse(lists:sort(Found)) of
         [] -> none;
         [{_, worker, Pid} | _] -> {worker, Pid};
         [{_, _, Pid} | _] -> {sup, Pid}
     end, S};
rec({event, E}, S) -> {ok, add(E, S)};
rec({watch, Label, N, Pid, Kind}, S) -> {ok, watch(Label, N, Pid, Kind, S)};
rec({watch, Label, N, Pid, Kind, E}, S) -> {ok, add(E, watch(Label, N, Pid, Kind, S))};
rec({sup_ok, Pid, E}, #{procs := P} = S) ->
    P1 = maps:map(fun(_, {L, N, X, newsup}) when X =:= Pid -> {L, N, X, sup};
                     (_, V) -> V
                  end, P),
    {ok, add(E, S#{procs := P1})}.

watch(Label, N, Pid, Kind, #{procs := P} = S) ->
    M = monitor(process, Pid),
    ets:insert(?TAB, {{pid, Pid}, Label, N}),
    ets:insert(?TAB, {{lastpid, Label}, Pid}),
    S#{procs := P#{M => {Label, N, Pid, Kind}}}.

%%% ------------------------------------------------------------------
%%% the parent of the root supervisor
%%% ------------------------------------------------------------------

holder(Main, Root) ->
    process_flag(trap_exit, true),
    holder_loop(Main, Root).

holder_loop(Main, Root) ->
    receive
        {start, Ref} ->
            R = start_entry(none, Root),
            Main ! {reply, Ref, case R of {ok, _} -> ok; _ -> R end},
            ets:delete(?TAB, {caller, self()}),
            holder_loop(Main, Root);
        {parent_exit, From, Ref, Pid, Reason} ->
            exit(Pid, Reason),
            From ! Ref,
            holder_loop(Main, Root);
        _ ->
            holder_loop(Main, Root)
    end.

%%% ------------------------------------------------------------------
%%% start functions: these run inside the supervisor that owns the child
%%% ------------------------------------------------------------------

%% static and dynamic children: Parent is the name of the owning supervisor
start_entry(Parent, Name) -> start_entry(Parent, Name, Name).

%% simple_one_for_one instances: Template gives the behaviour, Label the name
start_entry(Parent, Template, Label) ->
    #{kind := Kind, start := Outcomes} = O = decl(Template),
    N = ets:update_counter(?TAB, {attempts, Label}, 1, {{attempts, Label}, 0}),
    ets:insert(?TAB, {{parent, Label}, Parent}),
    ets:insert(?TAB, {{starting, self()}, Label}),
    Out0 = lists:nth(min(N, length(Outcomes)), Outcomes),
    Out = pass_gate(Out0, Label, N),
    R = case Kind of
            sup -> start_sup(Label, N, Out, O);
            worker -> start_worker(Label, N, Out, O)
        end,
    ets:delete(?TAB, {starting, self()}),
    R.

pass_gate({gate, Out}, Label, N) ->
    ok = rec_call({event, {start, Label, N, gate}}),
    Ref = make_ref(),
    ets:insert(?TAB, {parked, self(), Ref}),
    receive Ref -> Out end;
pass_gate(Out, _, _) -> Out.

start_sup(Label, N, {fail, R}, _) ->
    ok = rec_call({event, {start, Label, N, {error, R}}}),
    {error, R};
start_sup(Label, N, Out, #{strategy := S}) ->
    Mod = case S of dynamic -> 'Elixir.DynamicSupervisor'; _ -> supervisor end,
    case Mod:start_link(?MODULE, {Label, N, Out}) of
        {ok, Pid} ->
            ok = rec_call({sup_ok, Pid, {start, Label, N, ok}}),
            {ok, Pid};
        ignore ->
            ok = rec_call({event, {start, Label, N, ignore}}),
            ignore;
        {error, R} ->
            ok = rec_call({event, {start, Label, N, {error, R}}}),
            {error, R}
    end.

start_worker(Label, N, ignore, _) ->
    ok = rec_call({event, {start, Label, N, ignore}}),
    ignore;
start_worker(Label, N, {fail, R}, _) ->
    ok = rec_call({event, {start, Label, N, {error, R}}}),
    {error, R};
start_worker(Label, N, ok, #{stop := Stop}) ->
    proc_lib:start_link(?MODULE, worker_init, [self(), Label, N, Stop, ok]);
start_worker(Label, N, {die, R}, #{stop := Stop}) ->
    {ok, Pid} = proc_lib:start_link(?MODULE, worker_init, [self(), Label, N, Stop, ok]),
    M = monitor(process, Pid),
    Pid ! {do_exit, R},
    receive {'DOWN', M, process, Pid, _} -> {ok, Pid} end.

%%% callback of the supervisors
init({Label, N, Out}) ->
    ok = rec_call({watch, Label, N, self(), newsup}),
    case Out of
        ignore -> ignore;
        ok -> sup_init(decl(Label), Label)
    end.

sup_init(#{strategy := dynamic, intensity := I, period := P, max_children := M}, _) ->
    {ok, #{strategy => one_for_one, intensity => I, period => P,
           max_children => M, extra_arguments => []}};
sup_init(#{strategy := S, intensity := I, period := P, auto_shutdown := A}, Label) ->
    Kids = case ets:lookup(?TAB, {kids, Label}) of [{_, K}] -> K; [] -> [] end,
    Specs = [case S of
                 simple_one_for_one -> template_spec(Label, K);
                 _ -> child_spec(Label, K)
             end || K <- Kids],
    {ok, {#{strategy => S, intensity => I, period => P, auto_shutdown => A}, Specs}}.

child_spec(Parent, Name) ->
    #{restart := R, shutdown := Sh, type := T, significant := G} = decl(Name),
    #{id => Name, start => {?MODULE, start_entry, [Parent, Name]},
      restart => R, shutdown => Sh, type => T, significant => G, modules => [?MODULE]}.

template_spec(Parent, Name) ->
    (child_spec(Parent, Name))#{start := {?MODULE, start_entry, [Parent, Name]}}.

%%% the worker
worker_init(Parent, Label, N, Stop, ok) ->
    process_flag(trap_exit, true),
    ok = rec_call({watch, Label, N, self(), worker, {start, Label, N, ok}}),
    proc_lib:init_ack(Parent, {ok, self()}),
    worker(Parent, Stop).

worker(Parent, Stop) ->
    receive
        {do_exit, R} -> exit(R);
        {do_unlink, From, Ref} ->
            unlink(Parent),
            From ! Ref,
            worker(Parent, Stop);
        {'EXIT', Parent, R} ->
            case Stop of
                ok -> exit(R);
                never -> worker(Parent, Stop);
                {exit, R1} -> exit(R1);
                {slow, Ms} ->
                    ets:insert(?TAB, {{busy, self()}, true}),
                    timer:sleep(Ms),
                    exit(R)
            end;
        _ ->
            worker(Parent, Stop)
    end.

%%% ------------------------------------------------------------------
%%% error reports of the supervisors; runs in the reporting process
%%% ------------------------------------------------------------------

log(#{msg := {report, #{label := {supervisor, Ctx}, report := Rep}}}, _)
  when Ctx =:= child_terminated; Ctx =:= start_error;
       Ctx =:= shutdown_error; Ctx =:= shutdown ->
    case ets:lookup(?TAB, {pid, self()}) of
        [{_, Sup, _}] ->
            Off = proplists:get_value(offender, Rep, []),
            Reason = proplists:get_value(reason, Rep),
            rec_call({event, {report, Sup, Ctx, offender(Ctx, Off, strategy(Sup)), Reason}});
        [] -> ok
    end;
log(#{msg := {report, #{label := {'Elixir.DynamicSupervisor', unexpected_msg},
                        report := #{msg := Msg}}}}, _) ->
    unexpected(Msg);
log(#{msg := {"Supervisor received unexpected message" ++ _, [Msg]}}, _) ->
    unexpected(Msg);
log(_, _) -> ok.

unexpected(Msg) ->
    case ets:lookup(?TAB, {pid, self()}) of
        [{_, Sup, _}] ->
            rec_call({event, {report, Sup, unexpected_message, term(Msg), none}});
        [] -> ok
    end.

%% static supervisors name the child by its identifier; the others name the
%% instance by the pid they report, or count the instances
offender(Ctx, Off, Strategy) when Strategy =:= simple_one_for_one; Strategy =:= dynamic ->
    case {proplists:get_value(nb_children, Off), proplists:get_value(pid, Off)} of
        {Nb, _} when is_integer(Nb) -> ["count=", integer_to_list(Nb)];
        {_, {restarting, P}} -> label_of(Ctx, P);
        {_, P} -> label_of(Ctx, P)
    end;
offender(_, Off, _) ->
    atom_to_list(proplists:get_value(id, Off)).

label_of(_, P) when is_pid(P) ->
    case ets:lookup(?TAB, {pid, P}) of
        [{_, Label, _}] -> atom_to_list(Label);
        [] -> "unknown"
    end;
label_of(_, _) -> "unknown".
