"""Command `riseml completion`."""

from typing import Annotated, Literal

from riseml.cli import COMPLETE, output
from riseml.cli.parameters import Argument

# Each line of `riseml __complete` is WORD<TAB>DESCRIPTION. Bash shows words alone, and
# `nospace` lets the user continue a path after a folder.
_BASH = """\
_riseml() {
    local IFS=$'\\n' line
    COMPREPLY=()
    for line in $(riseml @COMPLETE@ "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null); do
        COMPREPLY+=("${line%%$'\\t'*}")
    done
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
}
complete -F _riseml riseml
"""
# `loadautofunc` is set if the code is a file in $fpath instead of a line in ~/.zshrc.
_ZSH = """\
#compdef riseml
_riseml() {
    local line
    local -a words_ remarks_
    for line in "${(@f)$(riseml @COMPLETE@ "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -z $line ]] && continue
        words_+=("${line%%$'\\t'*}")
        remarks_+=("${line//$'\\t'/  -- }")
    done
    (( $#words_ )) && compadd -l -d remarks_ -a words_
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _riseml "$@"; else compdef _riseml riseml; fi
"""
# Fish understands the lines as they are.
_FISH = """\
function __riseml_complete
    set -l words (commandline -opc)
    riseml @COMPLETE@ $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c riseml -f -a '(__riseml_complete)'
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def command(
    shell: Annotated[
        Literal["bash", "zsh", "fish"],
        Argument(metavar="SHELL", help="bash, zsh or fish."),
    ],
) -> None:
    """Print the shell code that completes commands, options and ids.

    Examples:
      source <(riseml completion bash)                                    # in ~/.bashrc
      source <(riseml completion zsh)                                     # in ~/.zshrc
      riseml completion fish > ~/.config/fish/completions/riseml.fish
    """
    output.write(_SCRIPTS[shell].replace("@COMPLETE@", COMPLETE))
