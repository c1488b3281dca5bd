#compdef sluice
# zsh completion for sluice, made by `sluice completions zsh`.

# A command out of `below`, and then what its own function completes: NAME SPEC...
_sluice_branch() {
    local name=$1 curcontext=$curcontext state
    local -a line
    local -A opt_args
    shift
    _arguments -C -S : "$@" '1:command:->command' '*::argument:->rest' && return
    case $state in
        command) _describe -t commands command below ;;
        rest) (( $+functions[${name}_$words[1]] )) && ${name}_$words[1] ;;
    esac
}

@commands@

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _sluice "$@"
else
    compdef _sluice sluice
fi
