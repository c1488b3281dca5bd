// Implements server_command, which serves the parts of a command together.
#include "sluice/cli/part.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <ranges>

#include "sluice/cli/auth/server_auth.hpp"
#include "sluice/cli/commands.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/service_counters.hpp"
#include "sluice/cli/standard_streams.hpp"

namespace sluice::cli {
namespace {

template <class T>
void append(std::vector<T>& to, std::vector<T> from) {
    std::ranges::move(from, std::back_inserter(to));
}

/// Of the words that make up the name of a setting.
bool is_of_setting(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/// Calls both, whichever there are.
template <class... Arguments>
void chain(std::function<void(Arguments...)>& first, std::function<void(Arguments...)> then) {
    if (!then) return;
    if (!first) {
        first = std::move(then);
        return;
    }
    first = [one = std::move(first), two = std::move(then)](Arguments... arguments) {
        one(arguments...);
        two(arguments...);
    };
}

/// The sandbox holds all parts, so it lets them do what any of them needs.
void merge(sandboxed_service& into, sandboxed_service more) {
    append(into.paths, std::move(more.paths));
    into.keeps_files |= more.keeps_files;
    into.has_children |= more.has_children;
    into.runs_programs |= more.runs_programs;
    into.rings_come_later |= more.rings_come_later;
    into.capabilities |= more.capabilities;
    chain(into.start_programs, std::move(more.start_programs));
    chain(into.start, std::move(more.start));
}

void merge(served& into, served more) {
    append(into.listeners, std::move(more.listeners));
    append(into.keep, std::move(more.keep));
    chain(into.on_stage, std::move(more.on_stage));
    chain(into.after, std::move(more.after));
    chain(into.count, std::move(more.count));
    merge(into.sandbox, std::move(more.sandbox));
    into.spread_evenly |= more.spread_evenly;
}

exit_status report(const CLI::App& command, const refusal& r) {
    return r.status == exit_status::usage ? report_usage_error(command, r.why) : log_failure(r.why);
}

}  // namespace

std::string part_name::flag(std::string_view option) const {
    std::string text{"--"};
    for (const auto& each : {kind, name}) {
        if (!each.empty()) text += each + '.';
    }
    return text.append(option);
}

std::string part_name::flag(std::string_view option, std::string_view shorter) const {
    if (is_alone() || is_further()) return flag(option);
    return fmt::format("--{},{}", shorter, flag(option));
}

std::string part_name::flag_said(std::string_view option, std::string_view shorter) const {
    const auto all = flag(option, shorter);
    return all.substr(0, all.find(','));
}

std::string part_name::title(std::string_view kind_alone) const {
    if (is_alone()) return std::string{kind_alone};
    return is_further() ? kind + '.' + name : kind;
}

std::optional<part_name> part_name::of_setting(std::string_view setting) {
    const auto is_odd = [](char c) { return !is_of_setting(c); };
    std::vector<std::string> words;
    for (const auto each : std::views::split(setting, '.')) {
        const std::string_view word{each};
        if (word.empty() || std::ranges::any_of(word, is_odd)) return std::nullopt;
        words.emplace_back(word);
    }
    if (words.size() == 2) return part_name{.kind = words[0]};
    if (words.size() == 3) return part_name{.kind = words[0], .name = words[1]};
    return std::nullopt;
}

reading<std::string> read_address_or_off(std::string_view text) {
    if (text == off) return std::string{text};
    auto address = read_address(text);
    if (!address) return std::unexpected{address.error() + ", or off"};
    return address;
}

void add_address_option(CLI::App& command, const std::string& flag, std::string& into,
                        std::string_view find) {
    add_value(command, flag, into, read_address_or_off, "ADDRESS",
              into.empty() ? fmt::format("Where {}, or off", find)
                           : fmt::format("Where {}, or off ({})", find, into));
}

void part::collect_as_own(metrics::collection& to, const count_function& count) const {
    metrics::collection own;
    count(own);
    for (auto& each : own.take()) {
        if (name_.is_further()) {
            each.title += fmt::format(" of {}", name_.title({}));
            each.labels =
                metrics::joined_labels(metrics::label("part", name_.title({})), each.labels);
        }
        to.add(std::move(each));
    }
}

std::string why_incomplete(const part_name& name, std::string_view option,
                           std::string_view placeholder) {
    return fmt::format("{} lacks {} {}; add it, or leave out all that begins with --{}.",
                       name.title({}), name.flag(option), placeholder, name.title({}));
}

std::string why_no_address(const part_name& name, std::string_view option) {
    const auto flag = name.flag(option);
    return fmt::format(
        "{} lacks {} ADDRESS; add it, have the service manager give a socket that is called {} "
        "(LISTEN_FDNAMES), or leave out all that begins with --{}.",
        name.title({}), flag, door_of(flag), name.title({}));
}

one_door_part::one_door_part(part_name called, std::string_view kind,
                             std::string_view usual_address)
    : part{std::move(called)}, kind_{kind} {
    if (!name().is_further()) listen_ = usual_address;
}

void one_door_part::add_address(CLI::App& command, std::string_view find) {
    if (name().is_alone()) return;
    add_address_option(command, name().flag("listen", kind_), listen_, find);
}

std::vector<door_address> one_door_part::doors(serve_options& common) {
    return {{std::string{door_of(address_flag())}, name().is_alone() ? &common.listen : &listen_}};
}

std::expected<std::vector<std::string>, std::string> one_door_part::choose_addresses(
    const serve_options& common) {
    return std::vector{address(common)};
}

const std::string& one_door_part::address(const serve_options& common) const {
    return name().is_alone() ? common.listen : listen_;
}

std::optional<std::string> one_door_part::why_no_door(const serve_options& common) const {
    if (!address(common).empty() || inherited().has(door_of(name().flag("listen")))) {
        return std::nullopt;
    }
    return why_no_address(name(), "listen");
}

void server_command::take(CLI::App& command, std::unique_ptr<part> each) {
    const auto before = command.get_options().size();
    each->add_options(command);
    if (!each->name().is_alone()) {
        const auto all = command.get_options();
        for (std::size_t i = before; i < all.size(); ++i) all[i]->group(each->name().title({}));
    }
    parts_.push_back(std::move(each));
}

const part* server_command::find(const part_name& name) const {
    const auto found =
        std::ranges::find_if(parts_, [&name](const auto& each) { return each->name() == name; });
    return found == parts_.end() ? nullptr : found->get();
}

std::vector<part*> server_command::present() const {
    std::vector<part*> all;
    for (const auto& each : parts_) {
        if (!each->is_off()) all.push_back(each.get());
    }
    return all;
}

/// Sockets without a name are for the chat first, and for further parts last.
std::expected<void, std::string> server_command::take_inherited() {
    std::vector<door_address> doors;
    for (const bool further : {false, true}) {
        for (const bool is_chat : {true, false}) {
            for (auto* each : served_) {
                if (each->name().is_further() != further) continue;
                if ((each->name().kind == "chat") == is_chat) append(doors, each->doors(common));
            }
        }
    }
    if (!common.metrics.empty()) doors.push_back({"metrics", &common.metrics});
    return inherited().assign(doors);
}

std::expected<served, refusal> server_command::open(const pairing& pair) {
    const auto usage = [](std::string why) {
        return std::unexpected{refusal{exit_status::usage, std::move(why)}};
    };
    if (served_.empty()) return usage("every part is off; leave one on");
    if (auto given = take_inherited(); !given) {
        return std::unexpected{refusal{exit_status::failed, std::move(given.error())}};
    }
    std::vector<std::string> addresses;
    for (auto* each : served_) {
        auto chosen = each->choose_addresses(common);
        if (!chosen) return usage(std::move(chosen.error()));
        append(addresses, std::move(*chosen));
    }
    auto who = open_server_auth(common, addresses);
    if (!who) return usage(std::move(who.error()));
    who_ = std::move(*who);
    served together{.listeners = {}, .who = who_.get()};
    for (auto* each : served_) {
        auto opened = each->open({.common = common, .model = pair.model, .who = who_.get()});
        if (!opened) return std::unexpected{std::move(opened.error())};
        merge(together, std::move(*opened));
    }
    chain(together.count, count_function{collect_send_costs});
    return together;
}

exit_status server_command::run(const commands& all) {
    const auto& command = all.command();
    settle_standard_streams();
    const auto pair = pair_up(common.engine, common.model);
    if (!pair) return report_usage_error(command, pair.error());
    served_ = present();
    // A door may do without an address where there is a socket for it.
    set_up_output(common, pair->model);
    if (const auto why = why_not()) return report_usage_error(command, *why);
    if (auto entered = enter_chroot(common.sandbox); !entered) {
        return log_failure(entered.error());
    }
    auto opened = open(*pair);
    if (!opened) return report(command, opened.error());
    return run_server(all, *this, *pair, std::move(*opened));
}

std::optional<std::string> server_command::why_not() const {
    const auto pair = pair_up(common.engine, common.model);
    if (!pair) return pair.error();
    for (const auto* each : present()) {
        if (auto why = each->why_not(common, *pair)) return why;
    }
    return std::nullopt;
}

std::vector<std::string> server_command::take_over(const server_command& fresh) {
    std::vector<std::string> names;
    for (auto* each : served_) {
        const auto* now = fresh.find(each->name());
        if (now == nullptr) continue;
        for (const auto name : each->take_over(*now, fresh.common)) {
            names.push_back(each->name().flag(name).substr(2));
        }
    }
    return names;
}

std::expected<std::unique_ptr<auth::authenticator>, exit_status> prepare_door(
    const CLI::App& command, serve_options& common, model_kind model) {
    set_up_output(common, model);
    if (auto entered = enter_chroot(common.sandbox); !entered) {
        return std::unexpected{log_failure(entered.error())};
    }
    if (auto given = inherited().assign({{"listen", &common.listen}}); !given) {
        return std::unexpected{log_failure(given.error())};
    }
    auto who = open_server_auth(common, {common.listen});
    if (!who) return std::unexpected{report_usage_error(command, who.error())};
    return std::move(*who);
}

}  // namespace sluice::cli
