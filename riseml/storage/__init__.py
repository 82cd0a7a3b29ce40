"""The files that jobs see as /data and /output, listed, copied and removed: `riseml ls`, `cp`, `rm`.

    output://~/14/model.pt ──uris──▶ Place ──▶ Volume: a folder of this machine, or what the user's store mounts
                                                 ▲
    planning: which files ──▶ copying: what is there already is left, what was begun goes on, nothing has its name
                                       before it is whole

Paths within a volume are text with `/`, the file system's bytes in `surrogateescape`, never with `..`.
"""
