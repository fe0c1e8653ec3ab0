#!/usr/bin/env bash
# tests/supervisor/observe/draw_top.sh - coppice-top as a picture for a page: a terminal's characters, as SVG.
#
#   usage: [BUILD=build] draw_top.sh FILE.svg
#
# Room: tests/.  Needs tmux.  What is drawn is what tmux has captured, colours and all.
set -eu

build=${BUILD:-build}
out=$1
folder=$(mktemp -d)
columns=96
lines=16
export LC_ALL=C.UTF-8
unset NO_COLOR

tm()
{
    tmux -S "$folder/tmux" -f /dev/null "$@"
}

clean_up()
{
    tm kill-server 2> "$folder/log" || true
    kill "$daemon" 2> "$folder/log" || true
    wait
    rm -rf "$folder"
}

# shows WORDS: until they stand there.
shows()
{
    for _ in $(seq 200); do
        tm capture-pane -p -t top | grep -qE -- "$1" && return 0
        sleep 0.05
    done
    echo "draw_top: no '$1' to be seen" >&2
    return 1
}

# svg: a line of text for each line of the terminal, a span for each run of characters that look the same.
svg()
{
    awk -v columns=$columns -v lines=$lines '
        function escaped(text) {
            gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text)
            return text
        }
        function look(codes,   n, i, code) { # what an escape sequence changes
            n = split(codes == "" ? "0" : codes, code, ";")
            for (i = 1; i <= n; i++) {
                if (code[i] == 0) { bold = reverse = under = 0; colour = "" }
                else if (code[i] == 1) bold = 1
                else if (code[i] == 4) under = 1
                else if (code[i] == 7) reverse = 1
                else if (code[i] == 39) colour = ""
                else if (code[i] in colours) colour = colours[code[i]]
            }
        }
        function put(text,   fill) {
            if (text == "")
                return
            fill = colour == "" ? "#d8dee9" : colour
            if (reverse) {
                printf "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"18\" fill=\"%s\"/>\n",
                    10 + x * 8.4, y - 14, length(text) * 8.4, fill
                fill = "#1d2430"
            }
            printf "<text x=\"%.1f\" y=\"%d\" textLength=\"%.1f\" fill=\"%s\"%s%s>%s</text>\n", 10 + x * 8.4, y,
                length(text) * 8.4, fill, bold ? " font-weight=\"bold\"" : "",
                under ? " text-decoration=\"underline\"" : "", escaped(text)
            x += length(text)
        }
        BEGIN {
            colours[31] = "#e06c75"; colours[32] = "#98c379"; colours[33] = "#e5c07b"
            colours[34] = "#61afef"; colours[35] = "#c678dd"; colours[36] = "#56b6c2"
            width = columns * 8.4 + 20
            printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %d\" ", width, lines * 18 + 16
            print "font-family=\"monospace\" font-size=\"14\" xml:space=\"preserve\" role=\"img\">"
            print "<title>coppice-top</title>"
            print "<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#1d2430\"/>"
        }
        {
            x = 0; y = NR * 18 + 4; rest = $0
            while (match(rest, /\033\[[0-9;]*m/)) {
                put(substr(rest, 1, RSTART - 1))
                look(substr(rest, RSTART + 2, RLENGTH - 3))
                rest = substr(rest, RSTART + RLENGTH)
            }
            put(rest)
        }
        END { print "</svg>" }'
}

"$build/observed" "$folder/observer" 3 2> "$folder/log" &
daemon=$!
trap clean_up EXIT
for _ in $(seq 200); do
    [ -S "$folder/observer" ] && break
    sleep 0.05
done
tm new-session -d -s top -x $columns -y $lines "$build/coppice-top" --interval 0.5 "$folder/observer"
shows 'hung .*handle_info 2'
shows 'brief .* 1 +[0-9.]+s'
tm send-keys -t top Down Down Down
shows 'quiet .* [1-9][0-9]* +0 '
tm capture-pane -p -e -t top | svg > "$out"
