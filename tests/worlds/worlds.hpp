// The worlds that can be simulated: one per service, and one with all of them.
#pragma once

#include <array>

#include "tests/worlds/stage.hpp"

namespace sluice::worlds {

/// talk: turns are kept, messages come whole and in order, and a conversation ends at both sides.
void talk(stage& s);

/// chat: messages come whole, once and in order, or as missed; names are unique; leaves are told.
void chat(stage& s);

/// compute: every question is answered once, in order, and to the client that asked it.
void compute(stage& s);

/// files: what was acknowledged lasts, and nothing has a name before it is complete, through
/// crashes, power losses and a failing disk.
void files(stage& s);

/// All services but talk in one process, and what their own worlds promise.
void serve_together(stage& s);

/// All of them.
inline constexpr std::array all_worlds{
    world{.name = "talk", .about = "two parties in turn", .direct = &talk},
    world{.name = "chat", .about = "members in rooms, on several shards", .direct = &chat},
    world{.name = "compute", .about = "questions, jobs, refusals", .direct = &compute},
    world{.name = "files", .about = "a store, uploads and downloads", .direct = &files},
    world{.name = "serve", .about = "chat, files and compute in one", .direct = &serve_together},
};

}  // namespace sluice::worlds
