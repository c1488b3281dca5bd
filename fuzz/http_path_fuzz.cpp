// Paths under any text: what is let through stays below the store, whatever it says.
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/files/server/path.hpp"
#include "sluice/http/content_disposition.hpp"
#include "sluice/http/content_type.hpp"
#include "sluice/http/percent.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::http_path_target {
namespace {

using namespace sluice::http;
using namespace sluice::files;
using sluice::check;

void check_path(std::string_view path) {
    const auto verdict = judge_path(path);
    check((verdict.fault == path_fault::none) == verdict.why.empty(), "a refusal says why");
    if (verdict.fault != path_fault::none) return;
    check(!path.empty() && path.size() < 4096, "a path of a length that is none");
    check(path.find('\0') == std::string_view::npos && sluice::wire::is_printable(path),
          "a path that harms");
    for (std::string_view left = path;;) {
        const auto slash = left.find('/');
        const auto name = left.substr(0, slash);
        check(!name.empty() && name.front() != '.' && name.size() < 256, "a name that is none");
        if (slash == std::string_view::npos) break;
        left.remove_prefix(slash + 1);
    }
    const auto field = attachment_named(split(path).name);
    check(field.find_first_of("\r\n") == std::string::npos, "a field of several lines");
    check(!content_type_of(path).empty(), "a file of no type");
}

}  // namespace

void examine(std::string_view text) {
    check_path(text);
    check(percent_decode(percent_encode_path(text)) == text, "encoded and decoded, another text");
    check(percent_decode(percent_encode_name(text)) == text, "encoded and decoded, another name");
    const auto decoded = percent_decode(text);
    if (!decoded) return;
    check(decoded->size() <= text.size(), "decoding makes it longer");
    check_path(*decoded);
}

}  // namespace sluice::fuzz::http_path_target
