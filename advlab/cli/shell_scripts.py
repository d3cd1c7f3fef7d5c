"""What `advlab completion SHELL` prints: each hands the line up to the cursor to advlab, and shows what comes back.

An error is silent: what stands in the prompt is the user's.
"""

from __future__ import annotations

BASH = r"""
_advlab() {
    local offered
    COMPREPLY=()
    while IFS= read -r offered; do
        COMPREPLY+=("$offered")
    done < <("${1/#\~/$HOME}" completion bash -- "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
}
complete -o nospace -F _advlab advlab
"""

ZSH = r"""
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_advlab() {
    local -a offered whole
    offered=("${(@f)$("${(Q)words[1]/#\~/$HOME}" completion zsh -- "${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}")
    whole=("${(@M)offered:#* }")
    offered=("${(@)offered:#* }")
    compadd -Q -- "${(@)whole% }"
    compadd -Q -S '' -- "${(@)offered:#}"
}
compdef _advlab advlab
"""

FISH = r"""
function __advlab_offers
    set -l words (commandline -opc)
    eval $words[1] completion fish -- (string escape -- (commandline -cp | string collect)) 2>/dev/null
end
complete -c advlab -f -a '(__advlab_offers)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
