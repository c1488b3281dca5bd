// Implements the ledger of files, and its looks at the simulated disk.
#include "tests/worlds/files_ledger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <set>
#include <span>
#include <utility>

#include "sluice/sim/disk.hpp"

namespace sluice::worlds {
namespace {

constexpr sim::virtual_time not_over = std::numeric_limits<sim::virtual_time>::max();

/// Calls `use(path, inode)` for each file below `folder`; the path is relative to it.
void for_each_file(const sim::disk& disk, std::string_view folder,
                   const std::function<void(const std::string&, const sim::inode&)>& use) {
    sim::inode_ref top;
    if (disk.find(disk.root(), folder, 0, top) < 0) return;
    std::vector<std::pair<std::string, const sim::inode*>> left{{"", top.get()}};
    while (!left.empty()) {
        const auto [path, node] = left.back();
        left.pop_back();
        for (const auto& [name, entry] : node->entries) {
            if (entry.node->is_folder()) {
                left.emplace_back(path + name + "/", entry.node.get());
            } else {
                use(path + name, *entry.node);
            }
        }
    }
}

std::string text_of(const sim::inode& file) {
    std::string text(static_cast<std::size_t>(file.data.size()), '\0');
    file.data.read(0, std::as_writable_bytes(std::span{text}));
    return text;
}

bool is_hidden(std::string_view path) {
    return path.substr(path.rfind('/') + 1).starts_with('.');
}

std::string describe(const file_ledger::content& found) {
    if (!found) return "no file";
    constexpr std::size_t shown = 40;
    return fmt::format("{} bytes, '{}...'", found->size(), found->substr(0, shown));
}

}  // namespace

std::string file_text(std::uint64_t number, std::size_t size) {
    constexpr std::string_view filler = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ;";
    std::string text;
    text.reserve(size + 2 * filler.size());
    while (text.size() < size) {
        fmt::format_to(std::back_inserter(text), "{}:{};", number, text.size());
        text += filler;
    }
    text.resize(size);
    return text;
}

sim::virtual_time file_ledger::now() const {
    return stage_.kernel().scheduler().now();
}

std::size_t file_ledger::begin(const std::string& path, content text) {
    auto& all = writes_[path];
    all.push_back({.text = std::move(text), .begun = now(), .over = not_over});
    return all.size() - 1;
}

void file_ledger::acknowledge(const std::string& path, std::size_t number) {
    auto& w = writes_[path][number];
    w.acknowledged = true;
    w.over = now();
}

void file_ledger::refuse(const std::string& path, std::size_t number) {
    writes_[path][number].refused = true;
}

void file_ledger::give_up(const std::string& path, std::size_t number) {
    writes_[path][number].given_up = true;
}

std::size_t file_ledger::begin_again(const std::string& path, std::size_t number) {
    give_up(path, number);
    return begin(path, writes_[path][number].text);
}

void file_ledger::server_died() {
    for (auto& [path, all] : writes_) {
        for (auto& w : all) {
            if (w.given_up && w.over == not_over) w.over = now();
        }
    }
}

bool file_ledger::is_current(const std::vector<write>& all, const write& w,
                             sim::virtual_time since) const {
    return std::ranges::none_of(all, [&](const write& later) {
        return later.acknowledged && w.over < later.begun && later.over < since;
    });
}

bool file_ledger::may_find(const std::string& path, const content& found,
                           sim::virtual_time since) const {
    if (found) return may_find_one(path, since, [&](const auto& text) { return text == *found; });
    const auto at = writes_.find(path);
    if (at == writes_.end()) return true;
    const auto& all = at->second;
    const write at_first{.text = {}, .begun = -1, .over = -1};
    return is_current(all, at_first, since) || std::ranges::any_of(all, [&](const write& w) {
               return !w.text && !w.refused && is_current(all, w, since);
           });
}

bool file_ledger::may_find_one(const std::string& path, sim::virtual_time since,
                               const std::function<bool(const std::string&)>& matches) const {
    const auto at = writes_.find(path);
    if (at == writes_.end()) return false;
    const auto& all = at->second;
    return std::ranges::any_of(all, [&](const write& w) {
        return w.text && !w.refused && matches(*w.text) && is_current(all, w, since);
    });
}

void file_ledger::require_found(const std::string& path, const content& found,
                                sim::virtual_time since, std::string_view who) const {
    if (may_find(path, found, since)) return;
    std::string known;
    if (const auto at = writes_.find(path); at != writes_.end()) {
        for (const auto& w : at->second) {
            known +=
                fmt::format("\n  {} from {} to {}{}{}", describe(w.text), w.begun,
                            w.over == not_over ? -1 : w.over, w.acknowledged ? " acknowledged" : "",
                            w.refused ? " refused" : "");
            if (!found || !w.text || w.text->size() != found->size()) continue;
            const auto differs = std::ranges::mismatch(*w.text, *found).in1 - w.text->begin();
            known += fmt::format(", which differs from byte {}", differs);
        }
    }
    stage_.fail(fmt::format("{}: /{} is {}, which it may not be since {}; written were:{}", who,
                            path, describe(found), since, known));
}

std::size_t file_ledger::begin_stream(std::string text) {
    streams_.push_back({.text = std::move(text)});
    return streams_.size() - 1;
}

void file_ledger::check_disk(std::string_view folder, std::string_view when) const {
    const auto& disk = stage_.kernel().disk();
    std::set<std::string> uploads;
    std::set<std::string> seen;
    for_each_file(disk, folder, [&](const std::string& path, const sim::inode& file) {
        if (is_hidden(path)) return;
        auto text = text_of(file);
        if (path.starts_with("upload-")) {
            stage_.require(
                std::ranges::any_of(streams_,
                                    [&](const stream& s) { return s.ended && s.text == text; }),
                fmt::format("{}: /{} is {}, which is no whole stream", when, path, describe(text)));
            uploads.insert(std::move(text));
            return;
        }
        require_found(path, std::move(text), now(), when);
        seen.insert(path);
    });
    for (const auto& [path, all] : writes_) {
        if (!seen.contains(path)) require_found(path, std::nullopt, now(), when);
    }
    for (const auto& s : streams_) {
        stage_.require(
            !s.acknowledged || uploads.contains(s.text),
            fmt::format("{}: the stream {} was acknowledged, and is lost", when, describe(s.text)));
    }
}

std::uint64_t file_ledger::bytes_on_disk(std::string_view folder) const {
    std::uint64_t bytes = 0;
    for_each_file(stage_.kernel().disk(), folder,
                  [&](const std::string&, const sim::inode& file) { bytes += file.data.size(); });
    return bytes;
}

std::vector<std::string> file_ledger::visible_and_parts(std::string_view folder) const {
    std::vector<std::string> paths;
    for_each_file(stage_.kernel().disk(), folder, [&](const std::string& path, const sim::inode&) {
        if (!is_hidden(path) || path.starts_with(".sluice-part-")) paths.push_back(path);
    });
    return paths;
}

std::string file_ledger::names_on_disk(std::string_view folder) const {
    std::string names;
    for_each_file(stage_.kernel().disk(), folder,
                  [&](const std::string& path, const sim::inode& file) {
                      names += fmt::format("{} ({} bytes) ", path, file.data.size());
                  });
    return names;
}

}  // namespace sluice::worlds
