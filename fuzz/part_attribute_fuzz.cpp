// What is stored beside files under any bytes: the description of a part, and a digest.
#include <fcntl.h>
#include <sys/stat.h>

#include <string_view>

#include "fuzz/door.hpp"
#include "sluice/base/check.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::fuzz::part_attribute_target {
namespace {

constexpr const char* directory = "/srv";
constexpr std::string_view id = "0123456789abcdef";

void look_at_part(int file, std::uint64_t size, const files::parts& all) {
    const auto found = all.look_up(file, size);
    check(found.good <= size && found.durable <= found.good, "bytes that are not there");
    const auto listed = all.list();
    check(listed.size() == 1 && listed.front().id == id && listed.front().size == size,
          "another part");
}

void look_at_digest(int file, std::string_view text) {
    struct stat now{};
    check(os::sys().fstat(file, now) == 0, "no file");
    const auto found = files::kept_digest(file, now);
    // Only what was stored for this size and time counts.
    check(!found || text.starts_with(http::to_hex(*found)), "another digest");
}

}  // namespace

/// The first byte is the size of a part.
void examine(std::string_view text) {
    const auto size = take_byte(text);
    play([&](worlds::stage& s) {
        auto& disk = s.kernel().disk();
        static_cast<void>(disk.make_folder(disk.root(), directory, 0755));
        auto opened = files::store::open(directory, {});
        check(opened.has_value(), "no store");
        const auto name = directory + ("/" + files::parts::name_of(id));
        const unique_fd file{
            os::sys().openat(AT_FDCWD, name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
        check(file && os::sys().ftruncate(file.get(), size) == 0, "no file");
        for (const char* attribute : {"user.sluice.part", "user.sluice.sha256"}) {
            static_cast<void>(os::sys().fsetxattr(file.get(), attribute, text.data(), text.size()));
        }
        look_at_part(file.get(), size, opened->partials());
        look_at_digest(file.get(), text);
    });
}

}  // namespace sluice::fuzz::part_attribute_target
