// `sluice files`: takes files in, and gives one out.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/serving.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/words.hpp"
#include "sluice/service/files/offer.hpp"
#include "sluice/service/files/raw.hpp"
#include "sluice/service/files/store.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::cli {
namespace {

namespace files = service::files;

struct offer_settings {
    serve_options common;
    std::string file;
    transfer::to_socket how = transfer::to_socket::automatic;
    std::uint64_t count = 0;
};

struct serve_settings {
    serve_options common;
    std::string directory;
    transfer::to_file how = transfer::to_file::automatic;
    std::uint64_t max_size = std::numeric_limits<std::uint64_t>::max();
    bool discard = false;
    bool no_sync = false;
};

exit_status fail(std::string_view why) {
    log(log_level::error, why);
    return exit_status::failed;
}

exit_status offer_file(const CLI::App& command, const offer_settings& s) {
    settle_standard_streams();
    const auto pair = pair_up(s.common.engine, s.common.model);
    if (!pair) return complain(command, pair.error());
    set_up_log(s.common.level, s.common.format);
    // The first process is the one that was asked to stop after so many, whichever serves the last.
    const auto us = ::getpid();
    files::offer given{
        s.file,
        {.how = s.how, .count = s.count, .report = lines_to_stdout(s.common.quiet), .done = [us] {
             ::kill(us, SIGTERM);
         }}};
    if (const auto size = given.look(); !size) {
        return fail(fmt::format("cannot offer {}: {}; give a file that can be read",
                                in_quotes(s.file), size.error().message()));
    }
    return run_server(command, s.common, *pair,
                      {.doors = {{.where = s.common.listen, .serve = given.service()}}});
}

exit_status serve(const CLI::App& command, const serve_settings& s) {
    settle_standard_streams();
    const auto pair = pair_up(s.common.engine, s.common.model);
    if (!pair) return complain(command, pair.error());
    set_up_log(s.common.level, s.common.format);
    auto place = files::store::open(s.directory, {.sync = !s.no_sync});
    if (!place) {
        return fail(
            fmt::format("cannot store files in {}: {}; give a directory that can be written",
                        in_quotes(s.directory), place.error().message()));
    }
    files::raw_door door{
        s.discard ? nullptr : &*place,
        {.how = s.how, .max_size = s.max_size, .report = lines_to_stdout(s.common.quiet)}};
    return run_server(command, s.common, *pair,
                      {.doors = {{.where = s.common.listen, .serve = door.service()}},
                       .keep = {place->directory()}});
}

void add_offer(commands& all, CLI::App& files) {
    auto* command = files.add_subcommand("offer", "Give one file to whoever connects");
    auto s = std::make_shared<offer_settings>();
    s->common.listen = "127.0.0.1:8082";
    command->add_option("FILE", s->file, "What to give")->required()->type_name("");
    add_value(
        *command, "--strategy", s->how, one_of{transfer::to_socket_names}, "HOW",
        "auto, read-send, sendfile, sendfile-cork, splice, mmap-send, zero-copy, uring-splice "
        "(auto)");
    constexpr std::uint64_t many = 1'000'000'000;
    add_value(*command, "--count", s->count, count_from{1, many}, "N",
              "End when so many have got it (never)");
    add_serve_options(*command, s->common);
    all.on(*command, [command, s] { return offer_file(*command, *s); });
}

void add_serve(commands& all, CLI::App& files) {
    auto* command = files.add_subcommand("serve", "Store what is streamed here");
    auto s = std::make_shared<serve_settings>();
    command->add_option("DIR", s->directory, "Where files are kept; made if need be")
        ->required()
        ->type_name("");
    s->common.listen = "127.0.0.1:5001";
    add_value(*command, "--raw", s->common.listen, read_address, "ADDRESS",
              fmt::format("Where streams become files ({})", s->common.listen));
    add_value(*command, "--strategy", s->how, one_of{transfer::to_file_names}, "HOW",
              "auto, recv-write, recv-write-1m, recv-full, splice, uring-splice (auto)");
    add_value(*command, "--max-size", s->max_size, read_size, "SIZE", "Largest file (no limit)");
    command->add_flag("--discard", s->discard, "Count what comes, and drop it");
    command->add_flag("--no-sync", s->no_sync, "Do not wait for the disk");
    add_serve_options(*command, s->common);
    all.on(*command, [command, s] { return serve(*command, *s); });
}

}  // namespace

void add_files(commands& all) {
    auto* files = all.root().add_subcommand("files", "Take files in, and give them out");
    files->require_subcommand(1);
    add_serve(all, *files);
    add_offer(all, *files);
}

}  // namespace sluice::cli
