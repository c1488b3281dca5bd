// Implements the HTML page of a directory.
#include "sluice/files/server/listing_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <string_view>

#include "sluice/base/assets.hpp"
#include "sluice/files/sha256.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/http/percent.hpp"
#include "sluice/wire/html.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::files {
namespace {

/// The CSP source of an inline style or script: its SHA-256, in base64.
std::string csp_hash(std::string_view text) {
    return fmt::format("'sha256-{}'", http::to_base64(sha256_of(text)));
}

const std::string& policy() {
    static const std::string text = fmt::format(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
        csp_hash(assets::listing_css), csp_hash(assets::listing_js));
    return text;
}

void append_breadcrumbs(std::string& out, std::string_view path) {
    out += fmt::format(R"(<h1 class="unseen">Files in {}</h1>)", wire::escape_html(path));
    out += R"(<nav aria-label="Where this is"><ol class="path">)";
    std::string so_far = "/";
    std::string_view rest = path;
    while (rest.starts_with('/')) rest.remove_prefix(1);
    const bool top = rest.empty();
    out += top ? R"(<li aria-current="page">Files</li>)" : R"(<li><a href="/">Files</a></li>)";
    while (!rest.empty()) {
        const auto segment = rest.substr(0, rest.find('/'));
        rest.remove_prefix(std::min(rest.size(), segment.size() + 1));
        so_far += http::percent_encode_name(segment) + "/";
        if (rest.empty()) {
            out += fmt::format(R"(<li aria-current="page"><bdi>{}</bdi></li>)",
                               wire::escape_html(segment));
        } else {
            out += fmt::format(R"(<li><a href="{}"><bdi>{}</bdi></a></li>)", so_far,
                               wire::escape_html(segment));
        }
    }
    out += "</ol></nav>\n";
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
    return fmt::format("{} {}", count, count == 1 ? one : many);
}

void append_table_head(std::string& out, bool may_delete) {
    out += R"(<table role="table"><caption class="unseen">What is in this directory</caption>
<thead role="rowgroup"><tr role="row">
<th role="columnheader" scope="col" data-key="name" data-title="Name">Name</th>
<th role="columnheader" scope="col" class="number" data-key="size" data-title="Size">Size</th>
<th role="columnheader" scope="col" class="time" data-key="time" data-title="Modified">)"
           "Modified (UTC)</th>\n";
    if (may_delete) {
        out += R"(<th role="columnheader" scope="col" class="act"><span class="unseen">Actions)"
               "</span></th>\n";
    }
    out += "</tr></thead>\n<tbody role=\"rowgroup\">\n";
}

/// Totals of the directory, and the number of names that are not shown.
void append_counts(std::string& out, const folder_contents& all) {
    const auto files = all.entries.size() - all.folders;
    out += "<footer><span>";
    if (all.folders > 0) out += counted(all.folders, "folder", "folders");
    if (all.folders > 0 && files > 0) out += ", ";
    if (files > 0) {
        out += fmt::format("{}, {}", counted(files, "file", "files"), wire::format_size(all.bytes));
    }
    out += "</span>";
    if (all.omitted > 0) {
        out += fmt::format("<span>{} beyond the limit of this list</span>",
                           counted(all.omitted, "more", "more"));
    }
    if (all.unlisted > 0) {
        out += fmt::format("<span>{} not shown: not UTF-8 text, or with control characters</span>",
                           counted(all.unlisted, "name", "names"));
    }
    out += "</footer>\n";
}

void append_page_links(std::string& out, const listing& what) {
    const auto link = [&out](std::string_view rel, std::size_t page, std::string_view words) {
        fmt::format_to(std::back_inserter(out), R"(<a rel="{}" href="?page={}">{}</a> )", rel, page,
                       words);
    };
    const std::size_t pages = what.pages();
    out += R"(<footer><nav aria-label="Pages">)";
    if (what.page > 1) {
        link("first", 1, "First");
        link("prev", what.page - 1, "Previous");
    }
    out += fmt::format("<span>Page {} of {}</span> ", what.page, pages);
    if (what.page < pages) {
        link("next", what.page + 1, "Next");
        link("last", pages, "Last");
    }
    out += "</nav></footer>\n";
}

}  // namespace

void append_page_entry(std::string& out, const listing_entry& entry, bool may_delete) {
    const auto name = wire::escape_html(entry.name);
    const auto when = timestamp(entry.modified);
    const std::string_view slash = entry.directory ? "/" : "";
    out += fmt::format(
        R"(<tr role="row" data-name="{}" data-size="{}" data-time="{}"{}><td role="cell">)"
        R"(<span class="entry"><svg{} aria-hidden="true"><use href="#{}"/></svg>)"
        R"(<a href="./{}{}"><bdi>{}</bdi>{}</a></span></td>)",
        name, entry.directory ? 0 : entry.size, entry.modified.time_since_epoch().count(),
        entry.directory ? " data-directory=\"1\"" : "", entry.directory ? " class=\"folder\"" : "",
        entry.directory ? "folder" : "file", http::percent_encode_name(entry.name), slash, name,
        slash);
    out += fmt::format(R"(<td role="cell" class="number"{}>{}</td>)",
                       entry.directory ? "" : fmt::format(R"( title="{} bytes")", entry.size),
                       entry.directory ? "" : wire::format_size(entry.size));
    out += fmt::format(R"(<td role="cell" class="time"><time datetime="{}">{} {}</time></td>)",
                       when, when.substr(0, when.find('T')), when.substr(when.find('T') + 1, 5));
    if (may_delete) {
        out += R"(<td role="cell" class="act">)";
        if (!entry.directory) {
            out += fmt::format(R"(<button type="button" class="plain remove" hidden )"
                               R"(aria-label="Delete {}">Delete</button>)",
                               name);
        }
        out += "</td>";
    }
    out += "</tr>\n";
}

std::size_t page_form_hash() noexcept {
    static const std::size_t value = std::hash<std::string_view>{}(assets::listing_css) ^
                                     std::hash<std::string_view>{}(assets::listing_js);
    return value;
}

void append_page_beginning(std::string& out, const listing& what) {
    out += "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    out += fmt::format("<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n", policy());
    out +=
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        "<link rel=\"icon\" href=\"data:,\">\n";
    out += fmt::format("<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n",
                       wire::escape_html(what.path), assets::listing_css);
    out += assets::listing_svg;
    out += "<main>\n";
    append_breadcrumbs(out, what.path);
    if (what.may_upload) {
        out += R"(<section class="drop" id="drop" aria-label="Upload" hidden>
<input class="unseen" type="file" id="files" multiple>
<label class="button" for="files">Upload files</label>
<span>or drop them anywhere on this page</span>
</section>
<ul class="uploads" id="uploads" aria-label="Uploads"></ul>
)";
    }
    out += "<p class=\"unseen\" id=\"said\" role=\"status\"></p>\n";
    out += fmt::format("<div id=\"list\"{}><div class=\"card\">\n",
                       what.page > 0 && what.pages() > 1 ? " data-paged=\"1\"" : "");
    if (what.holds->entries.empty()) {
        out += "<p class=\"empty\">Nothing is here yet.</p>\n</div>\n";
    } else {
        append_table_head(out, what.may_delete);
    }
}

void append_page_end(std::string& out, const listing& what) {
    const auto& all = *what.holds;
    if (!all.entries.empty()) out += "</tbody></table></div>\n";
    if (!all.entries.empty() || all.unlisted > 0) append_counts(out, all);
    if (what.page > 0 && what.pages() > 1) append_page_links(out, what);
    out += "</div>\n";
    if (what.may_upload) {
        out += "<footer><code id=\"command\"></code></footer>\n";
    }
    out += fmt::format("</main>\n<script>{}</script>\n</body>\n</html>\n", assets::listing_js);
}

}  // namespace sluice::files
