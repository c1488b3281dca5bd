// Implements media types in an extended attribute, with a cache of files that have none.
#include "sluice/files/server/media_type.hpp"

#include <cstddef>

#include "sluice/http/content_type.hpp"
#include "sluice/http/text.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/mapping.hpp"

namespace sluice::files {
namespace {

constexpr const char* type_attribute = "user.mime_type";

/// A file without a stored type. Setting an attribute later changes its ctime.
struct untyped_file {
    ino_t inode;
    dev_t device;
    timespec changed;
};
constexpr std::size_t max_untyped_files = 4096;

/// The slot of this file in the cache of the thread; nullptr without memory.
untyped_file* untyped_slot_for(const struct stat& now) noexcept {
    // Untouched pages of the mapping cost nothing.
    thread_local const result<mapping> memory =
        mapping::create(max_untyped_files * sizeof(untyped_file));
    if (!memory) return nullptr;
    return static_cast<untyped_file*>(memory->data()) + (now.st_ino % max_untyped_files);
}

bool matches(const untyped_file& known, const struct stat& now) noexcept {
    return known.inode == now.st_ino && known.device == now.st_dev &&
           known.changed.tv_sec == now.st_ctim.tv_sec &&
           known.changed.tv_nsec == now.st_ctim.tv_nsec;
}

}  // namespace

result<void> keep_media_type(int file, std::string_view type) noexcept {
    const int failed = os::sys().fsetxattr(file, type_attribute, type.data(), type.size());
    if (failed < 0) return failure_of(-failed);
    return {};
}

std::string_view media_type_of(int file, const struct stat& now, std::string_view path,
                               std::string& buffer) {
    untyped_file* const entry = untyped_slot_for(now);
    if (entry == nullptr || !matches(*entry, now)) {
        buffer.resize(http::longest_media_type);
        const auto length = os::sys().fgetxattr(file, type_attribute, buffer.data(), buffer.size());
        buffer.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
        // Other programs write it, too: only a valid type goes into a response.
        if (http::is_media_type(buffer)) return buffer;
        if (entry != nullptr) {
            *entry = {.inode = now.st_ino, .device = now.st_dev, .changed = now.st_ctim};
        }
    }
    return http::content_type_of(path);
}

bool is_pdf(std::string_view type) noexcept {
    return http::same_word(http::trim_blanks(type.substr(0, type.find(';'))), "application/pdf");
}

}  // namespace sluice::files
