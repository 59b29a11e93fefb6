"""What is kept of the progress of a build that failed: an awk program for the container of BuildKit's client.

`awk -f EXCERPT FILE FILE` takes the lines that `buildctl build --progress rawjson` wrote to stderr, and leaves what
`failure_of_build` reads, about 100 kB at most: the vertexes that failed, the text behind the objects, and the end of
what each of those vertexes printed. The end of the file would not do. Other steps print at the same time, and a single
object can hold megabytes. Output is left decoded, so that the engine finds the secrets in it, which it hides.
"""

# POSIX awk, which busybox has too. It need not read JSON: a quote inside a string has a backslash before it.
EXCERPT = r"""
function vertex(piece,   end) {
    end = index(piece, "}],\"")
    if (end) piece = substr(piece, 1, end)
    else sub(/[}](,|\]})$/, "}", piece)
    return "{\"vertexes\":[{\"digest\":\"" piece "]}"
}
NR == FNR {
    count = split($0, pieces, "[{]\"digest\":\"")
    for (i = 2; i <= count; i++)
        if (index(pieces[i], ",\"error\":\"") && !index(pieces[i], "context canceled"))
            failed[substr(pieces[i], 1, 71)] = vertex(pieces[i])
    next
}
/^[{]/ {
    count = split($0, pieces, "[{]\"vertex\":\"")
    for (i = 2; i <= count; i++) {
        digest = substr(pieces[i], 1, 71)
        start = index(pieces[i], ",\"data\":\"")
        if (!start || !(digest in failed)) continue
        data = substr(pieces[i], start + 9)
        data = substr(data, 1, index(data, "\"") - 1)
        if (length(data) > 8192) data = substr(data, length(data) - 8191)
        logs[digest, ++last[digest]] = data
        size[digest] += length(data)
        while (size[digest] > 32768) {
            size[digest] -= length(logs[digest, ++gone[digest]])
            delete logs[digest, gone[digest]]
        }
    }
    next
}
/^ *[0-9]+ \| / && ++shown > 50 { next }
{ text = text (length($0) > 3000 ? substr($0, 1, 2000) "..." substr($0, length($0) - 900) : $0) "\n" }
END {
    for (digest in failed) print failed[digest]
    printf "%s", text
    for (digest in last) {
        print "output of " digest
        fflush()
        for (i = gone[digest] + 1; i <= last[digest]; i++) {
            print logs[digest, i] | "base64 -d"
            close("base64 -d")
        }
        print ""
    }
}
"""
