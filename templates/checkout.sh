git clone -q "$REPOSITORY" "$CODE_DIR"
git -C "$CODE_DIR" checkout -q "$REVISION"
