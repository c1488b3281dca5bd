// An extended attribute, and a memory of the files that have none.
#include "sluice/files/server/media_type.hpp"

#include <sys/xattr.h>

#include <cerrno>
#include <cstddef>

#include "sluice/base/mapping.hpp"
#include "sluice/http/content_type.hpp"
#include "sluice/http/text.hpp"

namespace sluice::files {
namespace {

constexpr const char* type_attribute = "user.mime_type";

/// A file that has no type of its own. An attribute that is set later moves its time of change.
struct plain_file {
    ino_t inode;
    dev_t device;
    timespec changed;
};
constexpr std::size_t most_plain_files = 4096;

/// The place for this file among what this thread remembers; nullptr where there is no memory.
plain_file* plain_file_of(const struct stat& now) noexcept {
    // Pages of it that are not used cost nothing.
    thread_local const result<mapping> memory =
        mapping::create(most_plain_files * sizeof(plain_file));
    if (!memory) return nullptr;
    return static_cast<plain_file*>(memory->data()) + (now.st_ino % most_plain_files);
}

bool is_of(const plain_file& known, const struct stat& now) noexcept {
    return known.inode == now.st_ino && known.device == now.st_dev &&
           known.changed.tv_sec == now.st_ctim.tv_sec &&
           known.changed.tv_nsec == now.st_ctim.tv_nsec;
}

}  // namespace

result<void> keep_media_type(int file, std::string_view type) noexcept {
    if (::fsetxattr(file, type_attribute, type.data(), type.size(), 0) < 0)
        return failure_of(errno);
    return {};
}

std::string_view media_type_of(int file, const struct stat& now, std::string_view path,
                               std::string& room) {
    plain_file* const place = plain_file_of(now);
    if (place == nullptr || !is_of(*place, now)) {
        room.resize(http::longest_media_type);
        const auto length = ::fgetxattr(file, type_attribute, room.data(), room.size());
        room.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
        // Other programs write it, too: into an answer goes what is a type, and nothing else.
        if (http::is_media_type(room)) return room;
        if (place != nullptr) {
            *place = {.inode = now.st_ino, .device = now.st_dev, .changed = now.st_ctim};
        }
    }
    return http::content_type_of(path);
}

bool is_pdf(std::string_view type) noexcept {
    return http::same_word(http::trim_blanks(type.substr(0, type.find(';'))), "application/pdf");
}

}  // namespace sluice::files
