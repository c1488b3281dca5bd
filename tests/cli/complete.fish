# Prints what fish offers at the end of each line of stdin, by the completion script $argv[1].
source $argv[1]

while read -l line
    for each in (complete -C $line)
        string split -f 1 \t -- $each
    end
    echo .
end
