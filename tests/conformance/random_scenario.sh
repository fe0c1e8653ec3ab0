#!/usr/bin/env bash
# tests/conformance/random_scenario.sh - a supervision scenario made at random.
#
#   usage: random_scenario.sh SEED [static]      `static`: without dynamic supervisors
#
# The same seed gives the same scenario.  It keeps clear of what has no defined order: nested
# supervisors are not killed, and only the root and its own workers meet the gate or die while they
# start, for then nobody else moves.
set -u

RANDOM=$1
kinds=${2:-all}
supervisors=()   # names
static=()        # those with a list of children
pools=()         # those without
dynamic=()       # of these, those that take a specification each time
children=()      # of static supervisors
specs=()         # for any supervisor
gated=()         # for the root only
declare -A place # of a child: its supervisor
workers=0

chance() # PERCENT
{
    ((RANDOM % 100 < $1))
}

pick() # WORD…: leaves one in $picked
{
    local n=$((RANDOM % $#))
    picked=${*:n+1:1}
}

pick_reason()
{
    pick boom boom crash normal shutdown '{shutdown,bye}' kill '{a,{b,c},d}' '{shutdown,a,b}'
}

# outcomes GATE DIE IGNORE: 1 where that may be; leaves a list or nothing in $list
outcomes()
{
    local i count=$((RANDOM % 5 + 1)) outcome
    list=
    chance 55 && return
    for ((i = 0; i < count; i++)); do
        pick ok ok ok ok ok ok ignore fail:busy 'fail:{shutdown,no}' fail:normal die:gone
        outcome=$picked
        [ "$3$outcome" = 0ignore ] && outcome=ok
        [ "$2$outcome" = 0die:gone ] && outcome=ok
        if ((i == 0)); then
            chance 80 && outcome=ok
            [ "$root$outcome" = group'die:gone' ] && outcome=ok
        elif [ "$1" = 1 ] && chance 25; then
            outcome=gate:$outcome
        fi
        list+=,$outcome
    done
    chance 70 && list+=,ok
    list=" start=${list#,}"
}

# restarts AUTO: of a child of a supervisor with that auto_shutdown; in $rules
restarts()
{
    rules=
    pick '' '' permanent transient transient temporary
    [ -n "$picked" ] && rules=" restart=$picked"
    if [ "$1" != never ] && [[ $picked = t* ]] && chance 50; then
        rules+=' significant=true'
    elif chance 2; then
        rules+=' significant=true'
    fi
}

stops() # in $rules, too
{
    pick '' '' '' '' '' ' shutdown=brutal_kill' ' shutdown=brutal_kill stop=never' ' stop=slow:20' \
        ' stop=exit:other' ' stop=exit:normal' ' stop=exit:{shutdown,x}' ' shutdown=40 stop=never' \
        ' shutdown=infinity stop=slow:20' ' shutdown=brutal_kill stop=slow:20'
    rules+=$picked
    chance 10 && rules+=' type=supervisor'
}

# child SUPERVISOR AUTO: gates and early deaths below the root only
child()
{
    local at_root=0 name=c$((workers++))
    [ "$1" = top ] && at_root=1
    chance 1 && ((${#children[@]})) && [ "${place[${children[-1]}]}" = "$1" ] && name=${children[-1]}
    restarts "$2"
    stops
    outcomes $((at_root && gates)) $at_root 1
    echo "child $name in=$1$rules$list"
    children+=("$name")
    place[$name]=$1
}

# pool PARENT AUTO: a dynamic supervisor
pool()
{
    local name=p${#pools[@]} limit=
    pick simple_one_for_one dynamic
    local strategy=$picked
    restarts "$2"
    pick 0 1 2 3 5
    [ "$strategy" = dynamic ] && chance 40 && limit=" max_children=$((RANDOM % 5))"
    echo "sup $name in=$1 strategy=$strategy intensity=$picked$limit$rules"
    supervisors+=("$name")
    pools+=("$name")
    place[$name]=$1
    if [ "$strategy" = dynamic ]; then
        dynamic+=("$name")
        return
    fi
    restarts never
    rules=${rules/ significant=true/}
    stops
    outcomes 0 0 0
    chance 10 && list=' start=ignore,ok'
    echo "child t$name in=$name$rules$list"
}

# tree NAME PARENT DEPTH AUTO
tree()
{
    local name=$1 depth=$3 auto options i count
    pick never never never any_significant all_significant
    auto=$picked
    pick one_for_one one_for_all rest_for_one
    options="strategy=$picked"
    [ -z "$2" ] && [ "$picked" != one_for_one ] && root=group
    pick 0 1 2 3 5 8
    options+=" intensity=$picked"
    [ "$auto" != never ] && options+=" auto_shutdown=$auto"
    if [ -n "$2" ]; then
        restarts "$4"
        list=
        chance 20 && outcomes 0 0 1
        options="in=$2 $options$rules$list"
    fi
    echo "sup $name $options"
    supervisors+=("$name")
    static+=("$name")
    place[$name]=$2
    count=$((RANDOM % 5 + 1))
    for ((i = 0; i < count; i++)); do
        if ((depth < 2)) && chance 20; then
            tree s${#static[@]} "$name" $((depth + 1)) "$auto"
        elif [ "$kinds" = all ] && chance 15; then
            pool "$name" "$auto"
        else
            child "$name" "$auto"
        fi
    done
}

spec()
{
    restarts never
    chance 20 && rules+=' significant=true'
    stops
    outcomes "$1" 0 1
    echo "spec $2$rules$list"
}

# one_action: about a child of a list, or of a pool, or a supervisor
one_action()
{
    pick "${children[@]}" "${specs[@]}" "${gated[@]}"
    local name=$picked where
    where=${place[$name]:-top}
    pick exit exit exit exit exit kill terminate_child terminate_child restart_child restart_child \
        delete_child which_children count_children start_child get_childspec unlink foreign_exit \
        message stop release pools pools
    case $picked in
        exit) pick_reason && echo "exit $name $picked" ;;
        kill | unlink) echo "$picked $name" ;;
        which_children | count_children)
            local request=$picked
            pick "${supervisors[@]}"
            echo "$request $picked"
            ;;
        foreign_exit | stop)
            local verb=$picked
            pick "${supervisors[@]}"
            chance 50 && picked=$where
            where=$picked
            [ "$verb" = stop ] && chance 60 && return
            pick boom normal shutdown crash
            echo "$verb $where $picked"
            ;;
        message) echo "message $where hello" ;;
        release) ((gates)) && echo release ;;
        pools) pool_action ;;
        *)
            if [ "$picked" = start_child ] && chance 80; then
                start_something
            elif chance 20 && ((${#supervisors[@]} > 1)); then
                local verb=$picked
                pick "${supervisors[@]:1}"
                echo "$verb ${place[$picked]} $picked"
            else
                echo "$picked $where $name"
            fi
            ;;
    esac
}

start_something()
{
    if ((${#gated[@]})) && chance 40; then
        pick "${gated[@]}"
        echo "start_child top $picked"
    elif ((${#specs[@]})); then
        pick "${static[@]}"
        local supervisor=$picked
        pick "${specs[@]}"
        echo "start_child $supervisor $picked"
        place[$picked]=$supervisor
    fi
}

# What is known in a pool by its label is, in a dynamic one, a spec of that name.
pool_action()
{
    ((${#pools[@]})) || return
    pick "${pools[@]}"
    local supervisor=$picked name
    name=${supervisor}x$((RANDOM % 4))
    pick start_child start_child start_child start_child exit exit exit kill terminate_child \
        terminate_child restart_child delete_child get_childspec which_children count_children unlink
    case $picked in
        which_children | count_children) echo "$picked $supervisor" ;;
        exit) pick_reason && echo "exit $name $picked" ;;
        kill | unlink) echo "$picked $name" ;;
        *) echo "$picked $supervisor $name" ;;
    esac
}

gates=0
root=single # or group: who is stopped, and the start of the root, would be seen in either order
chance 35 && gates=1
echo "# random_scenario.sh $*"
tree top '' 0 never
for ((i = RANDOM % 4; i > 0; i--)); do
    spec 0 x$i
    specs+=("x$i")
done
if ((gates)); then
    spec 1 g1
    gated+=(g1)
fi
for supervisor in "${dynamic[@]}"; do
    for i in 0 1 2 3; do
        spec 0 "${supervisor}x$i"
    done
done
((${#children[@]})) || child top never
echo run
for ((i = RANDOM % 20 + 6; i > 0; i--)); do
    one_action
done
if chance 20; then
    echo kill top
elif chance 20; then
    pick boom shutdown normal
    echo "parent_exit $picked"
fi
