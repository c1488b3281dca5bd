// Implements partial uploads: hidden names, times, locks and descriptions.
#include "sluice/files/server/parts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <ctime>
#include <span>
#include <utility>

#include "sluice/base/relaxed.hpp"
#include "sluice/base/sometimes.hpp"
#include "sluice/files/server/beneath.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/directory_reader.hpp"

namespace sluice::files {
namespace {

constexpr std::string_view prefix = ".sluice-part-";
constexpr const char* part_attribute = "user.sluice.part";
constexpr mode_t mode_of_parts = 0666;
// A path, two numbers and the name of a boot.
constexpr std::size_t longest_attribute = 4300;

std::int64_t now() noexcept {
    return std::chrono::system_clock::to_time_t(os::wall_clock_now());
}

unique_fd open_part(int top, const char* name, int flags) noexcept {
    return unique_fd{os::sys().openat(
        top, name, flags | O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode_of_parts)};
}

bool is_locked(int file) noexcept {
    struct flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    return os::sys().fcntl_lock(file, F_OFD_GETLK, whole) == 0 && whole.l_type != F_UNLCK;
}

/// The attribute's text; an errno of fgetxattr(2).
result<std::string> read_attribute(int file) {
    std::string text(longest_attribute, '\0');
    const auto length = os::sys().fgetxattr(file, part_attribute, text.data(), text.size());
    if (length < 0) return failure_of(static_cast<int>(-length));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

/// The attribute is `TOTAL PATH`, a newline, `BOOT DURABLE`; earlier versions wrote only the first
/// line, which is all where there are no names of boots. No path has a newline.
void read_description(int file, part_info& into) {
    const auto text = read_attribute(file);
    if (!text) return;
    const auto line = std::string_view{*text}.substr(0, text->find('\n'));
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos) return;
    std::from_chars(line.data(), line.data() + blank, into.total);
    into.path = line.substr(blank + 1);
}

}  // namespace

struct parts::waiting_part {
    std::string name;
    std::int64_t modified = 0;
};

parts::parts(std::string path, std::string boot, const volumes& on, quota& budget, limits l)
    : path_{std::move(path)}, boot_{std::move(boot)}, volumes_{on}, quota_{budget}, limits_{l} {
    for (const auto& top : volumes_.tops(path_)) {
        counters_->waiting.fetch_add(list_waiting(top.get()).size(), relaxed);
    }
}

std::string parts::name_of(std::string_view id) {
    return std::string{prefix} + std::string{id};
}

result<unique_fd> parts::open(const volume& on, std::string_view id) {
    const int top = on.top.get();
    const std::string name = name_of(id);
    for (;;) {
        unique_fd file = open_part(top, name.c_str(), 0);
        if (file.get() == -ENOENT) {
            if (is_full()) evict_oldest(top);
            file = open_part(top, name.c_str(), O_CREAT | O_EXCL);
            if (file.get() == -EEXIST) continue;
            if (file) counters_->waiting.fetch_add(1, relaxed);
        }
        if (!file) return failure(on.can.error_of(error::system(-file.get())));
        if (auto locked = lock_file(file.get()); !locked) return failure(locked.error());
        struct stat ours{};
        const int failed = os::sys().fstat(file.get(), ours);
        if (failed < 0) return failure_of(-failed);
        // The last holder of the lock may have finished the part: then the name is of another file.
        const auto there = look_at(top, name.c_str());
        if (there && there->st_ino == ours.st_ino) return file;
    }
}

void parts::make_space(const volume& on, std::string_view id) {
    const int top = on.top.get();
    if (is_full() && !look_at(top, name_of(id).c_str())) evict_oldest(top);
}

bool parts::describe(int file, std::string_view path, std::uint64_t total,
                     std::uint64_t durable) const noexcept {
    // Some file systems have no space for a long path: then the part is listed by its id alone.
    for (const auto name : {path, std::string_view{}}) {
        std::array<char, longest_attribute> text{};
        auto* end = fmt::format_to_n(text.data(), text.size(), "{} {}", total, name).out;
        const auto left = static_cast<std::size_t>(text.data() + text.size() - end);
        if (!boot_.empty()) end = fmt::format_to_n(end, left, "\n{} {}", boot_, durable).out;
        const auto size = static_cast<std::size_t>(end - text.data());
        const int failed = os::sys().fsetxattr(file, part_attribute, text.data(), size);
        if (failed == 0 || failed == -EOPNOTSUPP) return failed == 0;
    }
    return false;
}

parts::record parts::look_up(int file, std::uint64_t size) const {
    const auto text = read_attribute(file);
    // Without attributes, nothing tells what a power loss has left.
    if (!text && text.error().is(EOPNOTSUPP)) return {.good = size};
    // It was not on the disk, and then the bytes need not be.
    if (!text) return {};
    const auto end = text->find('\n');
    if (end == std::string::npos) return {.good = size};
    const auto line = std::string_view{*text}.substr(end + 1);
    const auto blank = std::min(line.find(' '), line.size());
    record r{.is_current = line.substr(0, blank) == boot_};
    std::from_chars(line.data() + std::min(blank + 1, line.size()), line.data() + line.size(),
                    r.durable);
    r.durable = std::min(r.durable, size);
    r.good = r.is_current ? size : r.durable;
    return r;
}

void parts::forget_description(int file) noexcept {
    static_cast<void>(os::sys().fremovexattr(file, part_attribute));
}

void parts::ended() noexcept {
    std::uint64_t before = counters_->waiting.load(relaxed);
    while (!counters_->waiting.compare_exchange_weak(before,
                                                     before - std::min<std::uint64_t>(before, 1))) {
    }
}

std::vector<parts::waiting_part> parts::list_waiting(int top) {
    std::vector<waiting_part> found;
    auto copy = open_folder(top, ".");
    if (!copy) return found;
    os::directory_reader reader{std::move(*copy)};
    while (const dirent64* entry = reader.next().value_or(nullptr)) {
        if (!std::string_view{entry->d_name}.starts_with(prefix)) continue;
        const auto there = look_at(top, entry->d_name);
        if (!there || !S_ISREG(there->st_mode)) continue;
        found.push_back({.name = entry->d_name, .modified = there->st_mtim.tv_sec});
    }
    return found;
}

bool parts::try_remove(int top, const std::string& name, std::optional<std::chrono::seconds> age) {
    const unique_fd file = open_part(top, name.c_str(), 0);
    if (!file) return file.get() == -ENOENT;
    if (!lock_file(file.get())) return false;
    os::kernel& sys = os::sys();
    struct stat ours{};
    const auto there = look_at(top, name.c_str());
    if (sys.fstat(file.get(), ours) < 0 || !there || there->st_ino != ours.st_ino) return true;
    // The part may have been resumed since it was found.
    if (age && now() - ours.st_mtim.tv_sec < age->count()) return false;
    // Frees the space at once, also where a process forked now has the file open for long.
    static_cast<void>(sys.ftruncate(file.get(), 0));
    quota_.remove(size_of(ours));
    ended();
    return sys.unlinkat(top, name.c_str(), 0) == 0;
}

void parts::evict_oldest(int top) {
    // All parts were locked within this second: the number of clients limits those.
    if (all_active_at_.load(relaxed) == now()) return;
    auto all = list_waiting(top);
    std::ranges::sort(all, {}, &waiting_part::modified);
    // A tenth at a time, so that few uploads wait for this scan.
    const std::uint64_t goal = std::max<std::uint64_t>(limits_.count / 10, 1);
    std::uint64_t removed = 0;
    for (const auto& each : all) {
        if (removed == goal) break;
        if (try_remove(top, each.name, {})) ++removed;
    }
    counters_->crowded_out.fetch_add(removed, relaxed);
    sometimes(rare_path::files_crowded_out, removed > 0);
    if (removed == 0) all_active_at_ = now();
}

void parts::expire() {
    std::uint64_t left = 0;
    for (const auto& top : volumes_.tops(path_)) {
        for (const auto& each : list_waiting(top.get())) {
            const bool old = now() - each.modified >= limits_.age.count();
            if (old && try_remove(top.get(), each.name, limits_.age)) {
                counters_->expired.fetch_add(1, relaxed);
                sometimes(rare_path::files_expired);
            } else {
                ++left;
            }
        }
    }
    // A killed process has counted nothing off.
    counters_->waiting.store(left, relaxed);
}

std::vector<part_info> parts::list() const {
    os::kernel& sys = os::sys();
    std::vector<part_info> found;
    for (const auto& top : volumes_.tops(path_)) {
        for (const auto& each : list_waiting(top.get())) {
            const unique_fd file{sys.openat(top.get(), each.name.c_str(),
                                            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
            struct stat there{};
            if (!file || sys.fstat(file.get(), there) < 0) continue;
            part_info info{
                .id = each.name.substr(prefix.size()),
                .path = {},
                .size = size_of(there),
                .modified = std::chrono::sys_seconds{std::chrono::seconds{there.st_mtim.tv_sec}},
                .active = is_locked(file.get())};
            read_description(file.get(), info);
            found.push_back(std::move(info));
        }
    }
    return found;
}

result<void> parts::remove(std::string_view id) {
    const bool is_id = !id.empty() && std::ranges::all_of(id, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
    if (!is_id) return failure_of(ENOENT);
    const std::string name = name_of(id);
    for (const auto& top : volumes_.tops(path_)) {
        if (!look_at(top.get(), name.c_str())) continue;
        if (!try_remove(top.get(), name, {})) return failure_of(EBUSY);
        return {};
    }
    return failure_of(ENOENT);
}

part_sweeper::part_sweeper(parts& of, std::chrono::milliseconds every) noexcept {
    auto made = os::wakeup::create();
    if (!made) return;
    stop_ = std::move(*made);
    static_cast<void>(thread_.start([&of, every, stop = stop_.fd()]() noexcept {
        os::set_idle_priority();
        pollfd stop_event{.fd = stop, .events = POLLIN, .revents = 0};
        const timespec pause = os::timespec_of(every);
        while (os::sys().ppoll({&stop_event, 1}, &pause) == 0) of.expire();
    }));
}

part_sweeper::~part_sweeper() {
    if (!thread_.started()) return;
    stop_.signal();
    thread_.join();
}

}  // namespace sluice::files
