"""Files that jobs see as /data and /output: listed, copied and removed by `riseml ls`, `cp` and `rm`.

    output://~/14/model.pt ──uris──▶ Location ──▶ Volume: a folder of this machine, or what
                                                    ▲     the user's store mounts
    copy_plan: which files ──▶ transfer: skips files that exist already, continues partial
                                         files, and gives a file its name once it is complete

Paths within a volume are text with `/`, the file system's bytes in `surrogateescape`, and
never contain `..`.
"""
