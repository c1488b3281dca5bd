# Links of the guide: an example is a page of the reference, other files are where they were. The
# latter in HTML, since Doxygen looks for a page of its own where a link ends in .md.
s|]\(\.\./examples/([a-z_]+/)?([a-z_]+\.cpp)\)|](@ref \2)|g
s|\[([^]]*)]\(([^@#):]*)\)|<a href="../../../docs/\2">\1</a>|g
# A name of the library in code style is a link to it, and a warning if there is none.
s;`((coro|io|net|transfer|model|compute|fault)::[a-z_:]+)(<T>|(\([^`]*))?`;<code>@ref sluice::\1 "\1"\4</code>;g
# Doxygen leaves the asterisks around words with such a link as they are.
s|\*\*([A-Z][^*]+)\*\*|<b>\1</b>|g
