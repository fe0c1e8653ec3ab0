# tests/bench/peers.awk - from JSON lines to a table of medians and ratios, the worst ratio first.
#
#   awk [-v layout=markdown] -f peers.awk FILE
#
# A line: {"bench":"call","peer":"go","unit":"ns/call","value":483.00,"other":3}; the value may be null,
# and then a note says why.  A ratio is our median over the peer's: less is better everywhere.

# field(NAME): the string or number after it.
function field(name,    pattern, text)
{
    pattern = "\"" name "\":(\"[^\"]*\"|[^,}]*)"
    if (!match($0, pattern))
        return ""
    text = substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
    gsub(/"/, "", text)
    return text
}

function show(x)
{
    return sprintf(x < 1000 ? "%.1f" : "%.0f", x)
}

# sort(KEY): the values of one bench and one peer, in place.
function sort(key,    i, j, kept)
{
    for (i = 2; i <= runs[key]; i++)
        for (j = i; j > 1 && value[key, j] < value[key, j - 1]; j--) {
            kept = value[key, j]
            value[key, j] = value[key, j - 1]
            value[key, j - 1] = kept
        }
}

function median(key,    n)
{
    n = runs[key]
    return n % 2 ? value[key, (n + 1) / 2] : (value[key, n / 2] + value[key, n / 2 + 1]) / 2
}

# worst_ratio(BENCH): against whom we are worst; -1: there is nobody to compare with.
function worst_ratio(bench,    i, key, worst)
{
    worst = -1
    for (i = 1; i <= peers; i++) {
        key = bench SUBSEP peer[i]
        if (peer[i] == us || !(key in runs) || !((bench SUBSEP us) in runs) || middle[key] <= 0)
            continue
        ratio[key] = middle[bench, us] / middle[key]
        if (ratio[key] > worst)
            worst = ratio[key]
    }
    return worst
}

# sort_benches(): by the worst ratio; those without one last, in the order of the file.
function sort_benches(    i, j, kept)
{
    for (i = 2; i <= benches; i++)
        for (j = i; j > 1 && worst[bench[j]] > worst[bench[j - 1]]; j--) {
            kept = bench[j]
            bench[j] = bench[j - 1]
            bench[j - 1] = kept
        }
}

function cell(key)
{
    if (key in note)
        return "-"
    if (!(key in runs))
        return ""
    if (key in ratio)
        return sprintf(layout == "markdown" ? "%s ×%.2f" : "%s x%.2f", show(middle[key]), ratio[key])
    return show(middle[key])
}

function ours(name,    key)
{
    key = name SUBSEP us
    if (!(key in runs) || layout != "markdown")
        return cell(key)
    return sprintf("**%s** (%s-%s)", show(middle[key]), show(value[key, 1]),
        show(value[key, runs[key]]))
}

# row(FIRST, SECOND, THIRD, FOURTH, LAST): the peers' cells, in `cells`, between the last two.
function row(name, its_unit, our_cell, its_worst, others,    i, line)
{
    if (layout == "markdown") {
        line = "| " name " | " its_unit " | " our_cell " | " its_worst " |"
        for (i = 1; i <= peers; i++)
            if (peer[i] != us)
                line = line " " cells[i] " |"
        print line " " others " |"
        return
    }
    line = sprintf("%-17s %-12s %12s %7s", name, its_unit, our_cell, its_worst)
    for (i = 1; i <= peers; i++)
        if (peer[i] != us)
            line = line sprintf(" %18s", cells[i])
    print line sprintf(" %7s", others)
}

function head(    i, dashes)
{
    for (i = 1; i <= peers; i++)
        cells[i] = peer[i]
    row("bench", "unit", us, "worst", "others")
    if (layout == "markdown") {
        dashes = "|---|---|---:|---:|"
        for (i = 1; i <= peers; i++)
            if (peer[i] != us)
                dashes = dashes "---:|"
        print dashes "---:|"
    }
}

BEGIN { us = "coppice" }

{
    b = field("bench")
    p = field("peer")
    if (b == "" || p == "")
        next
    if (!(b in has_bench)) {
        has_bench[b] = 1
        bench[++benches] = b
    }
    if (!(p in has_peer)) {
        has_peer[p] = 1
        peer[++peers] = p
    }
    if (field("unit") != "")
        unit[b] = field("unit")
    if (field("value") == "null") {
        note[b, p] = field("note")
        next
    }
    value[b, p, ++runs[b, p]] = field("value") + 0
    if (field("other") + 0 > other[b])
        other[b] = field("other") + 0
}

END {
    for (key in runs) {
        sort(key)
        middle[key] = median(key)
    }
    for (i = 1; i <= benches; i++)
        worst[bench[i]] = worst_ratio(bench[i])
    sort_benches()
    head()
    for (i = 1; i <= benches; i++) {
        b = bench[i]
        if (!(b in unit))
            continue # null everywhere
        for (j = 1; j <= peers; j++)
            cells[j] = cell(b SUBSEP peer[j])
        row(b, unit[b], ours(b), worst[b] < 0 ? "-" : sprintf("%.2f", worst[b]), other[b] + 0 "%")
    }
    if (layout == "markdown")
        print ""
    for (i = 1; i <= benches; i++)
        for (j = 1; j <= peers; j++)
            if ((bench[i], peer[j]) in note)
                printf "%s%s %s: %s\n", layout == "markdown" ? "- " : "", peer[j], bench[i],
                    note[bench[i], peer[j]]
}
