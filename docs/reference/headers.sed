# The sentence at the top of a header, in place of #pragma once, is the file's documentation.
1,/^#pragma once$/ {
    s|^// |/// |
    s|^#pragma once$|/// @file|
}
# Protected members are for the engines and models of the library itself.
s/^( *)protected:$/\1private:/
# The three functions of an awaiter have no contract of their own.
s;^    ([^ /].*\bawait_(ready|suspend|resume)\();    /** Called by `co_await`. */ \1;
