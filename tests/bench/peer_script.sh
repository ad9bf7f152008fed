#!/bin/sh
# What a peer runs on a box, with the engine's socket in ENGINE, $1 or DOCKER_HOST: list, inspect what matches and is old enough,
# judge by age. Two curls and two awks, the least a shell can do it with; a line for each orphan. Some peers quote what
# they are given in ways of their own, so that its quotes are few and even.
ENGINE=${ENGINE:-${1:-${DOCKER_HOST#unix://}}}
cutoff=$(($(date +%s) - 7200))
curl -sg --unix-socket $ENGINE 'http://d/containers/json?all=1' |
awk -v cutoff=$cutoff -v RS='.Id.: *.' '
    NR > 1 && /.Names.: *.../ && /.\/ws-/ { match($0, /.Created.: *[0-9]+/)
        split(substr($0, RSTART, RLENGTH), at, /: */)
        if (at[2] + 0 < cutoff) print "url=http://d/containers/" substr($0, 1, 64) "/json" }' |
curl -sg --unix-socket $ENGINE -K - -w '\n' |
awk -v cutoff=$(date -u -d @$cutoff +%Y-%m-%dT%H:%M:%S) '
    match($0, /.StartedAt.: *.[0-9TZ:.-]+/) { started = substr($0, RSTART, RLENGTH); sub(/.*At.: *./, "", started)
        match($0, /.Name.: *.\/[a-zA-Z0-9_.-]+/); name = substr($0, RSTART, RLENGTH); sub(/.*\//, "", name)
        if (started > "0002" && started < cutoff) print "STALE " name }'
