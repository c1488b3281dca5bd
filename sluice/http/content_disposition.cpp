// Implements attachment_named() (RFC 6266).
#include "sluice/http/content_disposition.hpp"

#include "sluice/http/percent.hpp"

namespace sluice::http {

std::string attachment_named(std::string_view name) {
    std::string plain;
    bool same = true;
    for (const char c : name) {
        // Some clients take a percent sign or a backslash within quotes as the start of an escape.
        const bool fits = c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '%' && c != '/';
        plain += fits ? c : '_';
        same = same && fits;
    }
    std::string field = "attachment; filename=\"" + plain + '"';
    if (!same) field += "; filename*=UTF-8''" + percent_encode_name(name);
    return field;
}

}  // namespace sluice::http
