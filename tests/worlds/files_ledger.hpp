// The ledger of the world of files: what was sent, and what a reader may find.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/worlds/stage.hpp"

namespace sluice::worlds {

/// The same for the same number, and no two blocks are alike.
[[nodiscard]] std::string file_text(std::uint64_t number, std::size_t size);

/// Every write of every client: contents that PUT gives a path, and that DELETE takes away. A path
/// is a register: a reader finds a write that began before the read ended, and that no acknowledged
/// one has followed which was over before the read began. Any fiber.
class file_ledger {
 public:
    /// A file's text; none where there is no file.
    using content = std::optional<std::string>;

    explicit file_ledger(stage& s) noexcept : stage_{s} {}

    /// A text that no other write has.
    [[nodiscard]] std::string new_text(std::size_t size) { return file_text(++texts_, size); }
    /// The next size from `size` on that no other call has returned: without a digest, the size is
    /// what tells one upload in parts from another.
    [[nodiscard]] std::size_t own_size(std::size_t size) {
        while (!sizes_.insert(size).second) ++size;
        return size;
    }
    /// A client begins to write `text` at `path`, in one attempt or several. Its number.
    std::size_t begin(const std::string& path, content text);
    /// 201 or 204: it has happened, and lasts.
    void acknowledge(const std::string& path, std::size_t number);
    /// It has not happened, and will not: nobody may read it.
    void refuse(const std::string& path, std::size_t number);
    /// The client has given up, and does not know.
    void give_up(const std::string& path, std::size_t number);
    /// The client makes another attempt, and does not know of the one before, which may happen even
    /// after that. The new number.
    std::size_t begin_again(const std::string& path, std::size_t number);
    /// Nothing that a client has given up happens any more.
    void server_died();

    [[nodiscard]] sim::virtual_time now() const;
    /// Whether a read that began at `since` and is over now may find `found`.
    [[nodiscard]] bool may_find(const std::string& path, const content& found,
                                sim::virtual_time since) const;
    /// Whether it may find a text of which `matches` is true.
    [[nodiscard]] bool may_find_one(const std::string& path, sim::virtual_time since,
                                    const std::function<bool(const std::string&)>& matches) const;
    /// Fails unless may_find().
    void require_found(const std::string& path, const content& found, sim::virtual_time since,
                       std::string_view who) const;

    /// A writer was told that it has replaced the very file with this ETag. False the second time.
    bool replace_once(const std::string& path, const std::string& tag) {
        return replaced_.emplace(path, tag).second;
    }

    /// A stream to the raw listener: its number.
    std::size_t begin_stream(std::string text);
    /// The client has ended its side: from now on the stream may become a file.
    void end_stream(std::size_t number) { streams_[number].ended = true; }
    /// The server has ended its side in order: the file is there, and lasts.
    void acknowledge_stream(std::size_t number) { streams_[number].acknowledged = true; }

    /// Looks at all visible files below `folder` of the disk, without a call: fails unless each
    /// may be found, and all streams that were acknowledged are there.
    void check_disk(std::string_view folder, std::string_view when) const;
    /// The bytes of all files there, hidden ones included.
    [[nodiscard]] std::uint64_t bytes_on_disk(std::string_view folder) const;
    /// The paths of the visible files and of the parts there.
    [[nodiscard]] std::vector<std::string> visible_and_parts(std::string_view folder) const;
    /// The names and sizes of all files there, hidden ones included.
    [[nodiscard]] std::string names_on_disk(std::string_view folder) const;

 private:
    struct write {
        content text;
        sim::virtual_time begun = 0;
        sim::virtual_time over = 0;
        bool acknowledged = false;
        bool refused = false;
        bool given_up = false;
    };
    struct stream {
        std::string text;
        bool ended = false;
        bool acknowledged = false;
    };

    [[nodiscard]] bool is_current(const std::vector<write>& all, const write& w,
                                  sim::virtual_time since) const;

    stage& stage_;
    std::map<std::string, std::vector<write>> writes_;
    std::vector<stream> streams_;
    std::set<std::pair<std::string, std::string>> replaced_;
    std::set<std::size_t> sizes_;
    std::uint64_t texts_ = 0;
};

}  // namespace sluice::worlds
