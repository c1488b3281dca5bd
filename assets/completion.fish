# fish completion for sluice, made by `sluice completions fish`.

# Whether the words before the cursor name that command, as in 'chat serve'.
function __sluice_at
    set -l path
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; and continue
        set -l longer (string trim -- "$path $word")
        contains -- $longer $__sluice_paths; or break
        set path $longer
    end
    test "$path" = "$argv[1]"
end

complete -c sluice -f
@commands@
