// Implements inherited_sockets: the variables, and which socket is of which door.
#include "sluice/cli/inherited_sockets.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "sluice/base/parse_number.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/os/descriptor_passing.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

constexpr int first_descriptor = 3;  // SD_LISTEN_FDS_START

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string{} : value;
}

std::vector<std::string> split_names(std::string_view text) {
    std::vector<std::string> all;
    while (!text.empty()) {
        const auto end = std::min(text.find(':'), text.size());
        all.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return all;
}

/// Whether it is a stream socket that listens.
bool is_listener(int fd) noexcept {
    int listens = 0;
    int type = 0;
    socklen_t size = sizeof listens;
    os::kernel& sys = os::sys();
    return sys.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, size) == 0 && listens != 0 &&
           sys.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, size) == 0 && type == SOCK_STREAM;
}

}  // namespace

std::string_view door_of(std::string_view flag) noexcept {
    constexpr std::string_view usual = ".listen";
    flag.remove_prefix(std::min(flag.find_first_not_of('-'), flag.size()));
    if (flag.ends_with(usual)) flag.remove_suffix(usual.size());
    return flag;
}

void inherited_sockets::take_from_environment() {
    const auto process = parse_number<pid_t>(variable("LISTEN_PID"));
    const auto count = parse_number<unsigned>(variable("LISTEN_FDS"));
    const auto names = split_names(variable("LISTEN_FDNAMES"));
    for (const auto* each : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(each);
    if (!count || process != os::sys().getpid()) return;
    for (unsigned i = 0; i < *count; ++i) {
        const int fd = first_descriptor + static_cast<int>(i);
        if (os::sys().fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) break;
        std::string name = i < names.size() ? names[i] : std::string{};
        if (name == successor_name) {
            before_.reset(fd);
            continue;
        }
        const bool removes_file = name.ends_with(file_mark);
        if (removes_file) name.pop_back();
        names_.push_back(name);
        all_.push_back({std::move(name), {.socket = unique_fd{fd}, .removes_file = removes_file}});
    }
}

std::expected<void, std::string> inherited_sockets::assign(const std::vector<door_address>& doors) {
    for (const auto& each : all_) {
        if (is_listener(each.given.socket.get())) continue;
        return std::unexpected{fmt::format(
            "the descriptor {} that LISTEN_FDS tells of is no socket that listens for streams; "
            "give one, as ListenStream= of a socket unit makes it",
            each.given.socket.get())};
    }
    std::vector<std::string_view> names;
    names.reserve(doors.size());
    for (const auto& each : doors) names.push_back(each.name);
    const auto has_name = [&](const named& each) {
        return std::ranges::find(names, each.name) != names.end();
    };
    const auto is_of = [](std::string_view door) {
        return [door](const named& each) { return each.name == door; };
    };
    for (const auto& door : doors) {
        auto found = std::ranges::find_if(all_, is_of(door.name));
        if (found == all_.end()) found = std::ranges::find_if_not(all_, has_name);
        if (found == all_.end()) continue;
        found->name = door.name;
        const auto where = net::address::local_of(found->given.socket.get());
        if (where) *door.where = where->to_string();
        for (auto& each : all_) {
            if (each.name == door.name) net::adopt_listener(each.given.socket.get());
        }
    }
    for (const auto& each : all_) {
        if (has_name(each)) continue;
        log(log_level::warn,
            fmt::format("the socket {} that LISTEN_FDS tells of is for no door here: {} has one "
                        "already",
                        in_quotes(each.name), fmt::join(names, ", ")));
    }
    std::erase_if(all_, [&](const named& each) { return !has_name(each); });
    return {};
}

bool inherited_sockets::has(std::string_view door) const noexcept {
    return std::ranges::find(names_, door) != names_.end();
}

std::vector<inherited_sockets::one> inherited_sockets::take(std::string_view door) {
    std::vector<one> taken;
    for (auto& each : all_) {
        if (each.name == door) taken.push_back(std::move(each.given));
    }
    std::erase_if(all_, [door](const named& each) { return each.name == door; });
    return taken;
}

void inherited_sockets::tell_ready() noexcept {
    if (!before_) return;
    static_cast<void>(os::send_message(before_.get(), "R"));
    before_.reset();
}

inherited_sockets& inherited() noexcept {
    static inherited_sockets one;
    return one;
}

}  // namespace sluice::cli
