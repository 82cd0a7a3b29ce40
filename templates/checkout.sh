# Writes REVISION of the snapshots in REPOSITORY into CODE_DIR, as the project's folder was (riseml/project/compose.py).
# Needs git and a POSIX shell; both paths are absolute. The owner and the settings of REPOSITORY do not matter: only its
# objects are used, by a private repository in CODE_DIR/.git that is removed at the end. No snapshot contains a `.git`.
set -eu

riseml_checkout() {
    # The image of the job may have a user of its own, who writes next to the code.
    [ -z "${RISEML_OPEN-}" ] || umask 0
    code=${CODE_DIR:-/code} mask=$(umask) line='
'
    unset GIT_INDEX_FILE GIT_COMMON_DIR GIT_NAMESPACE GIT_CONFIG GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT GIT_PREFIX \
        GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_ATTR_SOURCE GIT_REPLACE_REF_BASE GIT_GRAFT_FILE GIT_SHALLOW_FILE
    [ -d "$REPOSITORY/objects" ] || riseml_refuse "there is no repository $REPOSITORY"
    if [ -e "$code/.git/riseml" ]; then
        # An earlier checkout was interrupted.
        chmod -R u+rwx "$code"
        rm -rf "$code"/* "$code"/.[!.]* "$code"/..?*
    elif [ -e "$code/.git" ]; then
        riseml_refuse "$code is a Git working tree"
    fi
    mkdir -p "$code/.git/riseml" "$code/.git/info" "$code/.git/refs"
    echo "ref: refs/heads/riseml" > "$code/.git/HEAD"
    echo "* -text -eol -crlf -ident !filter !working-tree-encoding" > "$code/.git/info/attributes"
    message=$(riseml_git cat-file commit "$REVISION") || riseml_refuse "$REPOSITORY does not contain $REVISION"
    [ -n "${RISEML_OPEN-}" ] ||
        case $message in *"${line}umask "*) usual=${message#*"${line}umask "} && umask "${usual%%"$line"*}" ;; esac
    riseml_git read-tree ${RISEML_VERBOSE:+-v} --reset -u "$REVISION"
    case $message in *"${line}move "* | *"${line}dir "* | *"${line}file "* | *"${line}mode "*) printf '%s\n' "$message" | riseml_apply ;; esac
    rm -rf "$code/.git"
    umask "$mask"
}

riseml_refuse() {
    echo "riseml: $1" >&2
    exit 1
}

riseml_git() {
    GIT_DIR=$code/.git GIT_WORK_TREE=$code GIT_OBJECT_DIRECTORY=$REPOSITORY/objects GIT_NO_REPLACE_OBJECTS=1 LC_ALL=C \
        GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1 HOME=/dev/null XDG_CONFIG_HOME=/dev/null \
        git -c core.bare=false -c core.symlinks=true -c core.ignoreCase=false -c core.protectHFS=false \
        -c core.protectNTFS=false -c core.bigFileThreshold=16m "$@"
}

# Runs the commands that the lines of a commit's message stand for; paths with the same command share one call.
riseml_apply() {
    cd "$code"
    act=
    set --
    while IFS=' ' read -r kind what path; do
        case $path in *\\*) path=$(printf '%bx' "$path") && path=${path%x} ;; esac
        case $kind in
            move)
                case $path in */*) what=${path%/*}/$what ;; esac
                mv "./$what" "./$path"
                continue
                ;;
            file)
                # The folders before it have to exist.
                [ $# -eq 0 ] || $act "$@"
                set --
                riseml_place "$REPOSITORY/riseml/files/$what" "./$path"
                continue
                ;;
            dir) next="mkdir -p" ;;
            mode) next="chmod $what" ;;
            *) continue ;;
        esac
        if [ "$act" != "$next" ] || [ $# -ge 200 ]; then
            [ $# -eq 0 ] || $act "$@"
            act=$next
            set --
        fi
        set -- "$@" "./$path"
    done
    [ $# -eq 0 ] || $act "$@"
}

# A hard link takes neither time nor space, but is safe only in a checkout that is never written to. A copy shares its
# blocks with the original where `cp` and the file system can do that.
riseml_place() {
    [ -z "${RISEML_LINK-}" ] || ! ln "$1" "$2" 2> /dev/null || return 0
    cp -p --reflink=auto "$1" "$2" 2> /dev/null || cp -p "$1" "$2"
}

riseml_checkout
