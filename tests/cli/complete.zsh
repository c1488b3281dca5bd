# Prints what zsh offers at the end of each line of stdin, by the completion script $1. Completion
# needs the line editor, and that a terminal: a second shell on one of its own (zpty) sources this
# file, too. Its editor is given each line, and what is offered goes into a file.

if (( ! $+asked )); then
    zmodload zsh/zpty
    folder=$(mktemp -d)
    cat > $folder/questions
    export asked=$folder script=$1:a
    zpty shell zsh -f -i
    zpty -w shell "source ${0:a}"
    while zpty -r shell shown; do :; done
    cat $folder/answers
    rm -r $folder
    exit
fi

autoload -Uz compinit
compinit -D -u
source $script

# All that is offered passes here; with these three options it is only looked for.
compadd() {
    if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
        local -a found
        builtin compadd -A found "$@"
        (( $#found )) && print -rl -- $found >> $asked/answers
    fi
    builtin compadd "$@"
}

list-nothing() { compstate[list]= compstate[insert]= }
comppostfuncs=(list-nothing)
zle -C offer list-choices _main_complete

# The editor's first line is where all questions are asked, one after another.
zle-line-init() {
    local line
    while IFS= read -r line; do
        BUFFER=$line CURSOR=$#line
        comppostfuncs=(list-nothing)
        zle offer
        print . >> $asked/answers
    done < $asked/questions
    exit
}
zle -N zle-line-init
