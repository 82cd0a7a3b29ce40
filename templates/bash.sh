command -v bash > /dev/null && exec bash -c "$0" riseml "$@"
exec sh -c "$0" riseml "$@"
