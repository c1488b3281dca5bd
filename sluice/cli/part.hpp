// A part of a server: a product's options, and what they make of its services, written once for its
// own command (`chat serve --rate 20`) and for `sluice serve` (`--chat.rate 20`).
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/cli/exit_status.hpp"
#include "sluice/cli/inherited_sockets.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/run_server.hpp"

namespace sluice::cli {

/// How a part is called in its command: not at all where it is alone under a command of its own;
/// `chat` in `sluice serve`; `chat.team` for a further one there.
struct part_name {
    std::string kind = {};
    std::string name = {};

    friend bool operator==(const part_name&, const part_name&) = default;

    [[nodiscard]] bool is_alone() const noexcept { return kind.empty(); }
    /// One of several of its kind, which has no address by default.
    [[nodiscard]] bool is_further() const noexcept { return !name.empty(); }
    /// `option` is the flag without dashes: `--rate`, `--chat.rate`, `--chat.team.rate`.
    [[nodiscard]] std::string flag(std::string_view option) const;
    /// The same with a shorter name in front where it is the only one of its kind in `sluice
    /// serve`, as in `--http,--files.http`.
    [[nodiscard]] std::string flag(std::string_view option, std::string_view shorter) const;
    /// The first of those.
    [[nodiscard]] std::string flag_said(std::string_view option, std::string_view shorter) const;
    /// `chat`, `chat.team`; `kind_alone` where it is alone.
    [[nodiscard]] std::string title(std::string_view kind_alone) const;
    /// Of the part to which a setting in `sluice serve` belongs: chat.rate is of `chat`,
    /// chat.team.rate of `chat.team`; none for one of another form.
    [[nodiscard]] static std::optional<part_name> of_setting(std::string_view setting);
};

/// What a part is told by the server that opens it.
struct part_context {
    const serve_options& common;
    model_kind model = model_kind::event;
    auth::authenticator* who = nullptr;  ///< null without --auth
};

/// Why a part cannot be served: a sentence without its full stop.
struct refusal {
    exit_status status = exit_status::usage;
    std::string why;
};

/// A product in a server: first its options, then its services. Main thread.
class part {
 public:
    explicit part(part_name name) : name_{std::move(name)} {}
    part(const part&) = delete;
    part& operator=(const part&) = delete;
    virtual ~part() = default;

    [[nodiscard]] const part_name& name() const noexcept { return name_; }

    /// Adds its options, into settings of its own, which live as long as it does.
    virtual void add_options(CLI::App& command) = 0;
    /// Whether it is left out of `sluice serve`.
    [[nodiscard]] virtual bool is_off() const = 0;
    /// Why its options do not go together, a sentence without its full stop; nothing if they do.
    [[nodiscard]] virtual std::optional<std::string> why_not(const serve_options& common,
                                                             const pairing& pair) const = 0;
    /// Its doors that are not off; their addresses may be set before choose_addresses().
    [[nodiscard]] virtual std::vector<door_address> doors(serve_options& common) = 0;
    /// Chooses the addresses at which it will listen. The error is one of usage. May block.
    [[nodiscard]] virtual std::expected<std::vector<std::string>, std::string> choose_addresses(
        const serve_options& common) = 0;
    /// Opens its services, which live as long as it does; `context.common` outlives it. Once. May
    /// block.
    [[nodiscard]] virtual std::expected<served, refusal> open(const part_context& context) = 0;

    /// While it serves: takes over what may change from `fresh`, the same part read anew, beside
    /// the common options. The names of those options, without the part's.
    [[nodiscard]] virtual std::vector<std::string_view> take_over(const part& fresh,
                                                                  const serve_options& common) = 0;

 protected:
    /// Adds what `count` adds, as this part's own: a further part is named in the titles and by the
    /// label `part`.
    void collect_as_own(metrics::collection& to, const count_function& count) const;

 private:
    part_name name_;
};

/// For an address: none.
constexpr std::string_view off = "off";

/// A part with one door: its address is that of the command where it is alone.
class one_door_part : public part {
 public:
    [[nodiscard]] bool is_off() const override { return listen_ == off; }
    [[nodiscard]] std::vector<door_address> doors(serve_options& common) override;
    [[nodiscard]] std::expected<std::vector<std::string>, std::string> choose_addresses(
        const serve_options& common) override;

 protected:
    /// `kind` is the shorter name of its flag, static. In `sluice serve` the first of its kind
    /// listens at `usual_address` unless it is told otherwise.
    one_door_part(part_name called, std::string_view kind, std::string_view usual_address);

    /// Adds the flag with its address, unless it is alone; clients `find` something there.
    void add_address(CLI::App& command, std::string_view find);
    [[nodiscard]] const std::string& address(const serve_options& common) const;
    /// The flag that says its address.
    [[nodiscard]] std::string address_flag() const { return name().flag_said("listen", kind_); }
    /// why_no_address(), if it has none.
    [[nodiscard]] std::optional<std::string> why_no_door(const serve_options& common) const;

 private:
    std::string_view kind_;
    std::string listen_;  // in `sluice serve`; empty: a further one of which it was not said
};

/// Why a further part cannot do without the value of that flag.
[[nodiscard]] std::string why_incomplete(const part_name& name, std::string_view option,
                                         std::string_view placeholder);
/// Why it cannot do without the address of a door, which a socket that this process was given by
/// the name of the door makes up for.
[[nodiscard]] std::string why_no_address(const part_name& name, std::string_view option);

/// An address, or `off`.
[[nodiscard]] reading<std::string> read_address_or_off(std::string_view text);
/// Adds the flag with the address of a part in `sluice serve`, at which clients `find` it.
void add_address_option(CLI::App& command, const std::string& flag, std::string& into,
                        std::string_view find);

/// A command that serves: its common options, and its parts.
class server_command {
 public:
    serve_options common;

    /// Adds a part and its options to `command`.
    template <class Part>
    Part& add(CLI::App& command, std::unique_ptr<Part> each) {
        Part& added = *each;
        take(command, std::move(each));
        return added;
    }
    /// The part of that name, or nullptr.
    [[nodiscard]] const part* find(const part_name& name) const;
    [[nodiscard]] std::size_t size() const noexcept { return parts_.size(); }
    /// Serves all parts that are not off until signals stop it, as run_server(). `all` has read
    /// the options.
    [[nodiscard]] exit_status run(const commands& all);

    /// Why its options do not go together, a sentence without its full stop; nothing if they do.
    [[nodiscard]] std::optional<std::string> why_not() const;
    /// While it serves: has the parts take over what may change from `fresh`, the same command read
    /// anew; the names of those settings.
    std::vector<std::string> take_over(const server_command& fresh);

 private:
    void take(CLI::App& command, std::unique_ptr<part> each);
    [[nodiscard]] std::vector<part*> present() const;
    [[nodiscard]] std::expected<void, std::string> take_inherited();
    [[nodiscard]] std::expected<served, refusal> open(const pairing& pair);

    std::unique_ptr<auth::authenticator> who_;  // outlives the services
    std::vector<std::unique_ptr<part>> parts_;
    std::vector<part*> served_;
};

/// For a server whose one door is at --listen: set_up_output(), --chroot, the socket that was
/// handed down for it, and who may come in. A refusal has been reported. Main thread.
[[nodiscard]] std::expected<std::unique_ptr<auth::authenticator>, exit_status> prepare_door(
    const CLI::App& command, serve_options& common, model_kind model);

[[nodiscard]] std::unique_ptr<part> make_chat_part(part_name name);
[[nodiscard]] std::unique_ptr<part> make_compute_part(part_name name);
[[nodiscard]] std::unique_ptr<part> make_files_part(part_name name);

}  // namespace sluice::cli
