# bash completion for sluice, made by `sluice completions bash`.

@commands@

_sluice() {
    local line=${COMP_LINE:0:COMP_POINT} piece=${COMP_WORDS[COMP_CWORD]}
    local commands flags valued repeats word kind='' flag='' path='' ended='' operand=0 i
    local -a words operands
    COMPREPLY=()
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    _sluice_command ''
    for ((i = 1; i < ${#words[@]} - 1; ++i)); do
        word=${words[i]}
        if [[ -n $flag ]]; then
            flag='' # that was its value
        elif [[ -n $ended || $word != -* ]]; then
            if [[ " $commands " == *" $word "* ]]; then
                path+=${path:+ }$word
                _sluice_command "$path"
            else
                operand=$((operand + 1))
            fi
        elif [[ $word == -- ]]; then
            ended=1
        elif [[ " $valued " == *" $word "* ]]; then
            flag=$word
        fi
    done
    word=${words[i]#[\"\']}
    piece=${piece#[\"\']}
    if [[ -z $flag && -z $ended && $word == --*=* ]]; then
        flag=${word%%=*}
        word=${word#*=}
    fi
    if [[ -n $flag ]]; then
        _sluice_value "$path" "$flag"
    elif [[ -z $ended && $word == -* ]]; then
        kind=$flags
    elif [[ -n $commands ]]; then
        kind=$commands
    else
        [[ -n $repeats && $operand -ge ${#operands[@]} ]] && operand=$((${#operands[@]} - 1))
        kind=${operands[operand]-}
    fi
    case $kind in
        '<file>' | '<directory>')
            compopt -o filenames 2>/dev/null
            [[ $kind == '<file>' ]] && i=-f || i=-d
            mapfile -t COMPREPLY < <(compgen "$i" -- "$word")
            ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$kind" -- "$word") ;;
    esac
    # bash replaces what follows the last : or = of a word alone.
    [[ $piece == [:=] ]] && piece=''
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]#"${word%"$piece"}"}
    done
}

complete -F _sluice sluice
