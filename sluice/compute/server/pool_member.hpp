// What a process_pool knows of one question, and of one of its programs.
#pragma once

#include <list>
#include <string>
#include <utility>

#include "sluice/compute/server/process_pool.hpp"

namespace sluice::compute {

/// One question, in its asker's frame. Under the pool's mutex from submit() until it is finished.
struct process_pool::request {
    request(std::string text, question_context& c, void (*n)(request&) noexcept)
        : question{std::move(text)}, of{c}, notify{n} {}

    std::string question;
    question_context& of;
    void (*notify)(request&) noexcept;  ///< wakes the asker, on its own thread
    io::time_point asked{};
    io::time_point until = io::never;
    std::list<request*>::iterator place;  ///< in the queue, while `with` is null
    member* with = nullptr;               ///< the program that has it
    bool finished = false;                ///< `outcome` is set, or it was withdrawn
    result<std::string> outcome = failure(fault::cancelled);
};

/// One program of the pool. Under the pool's mutex; only the supervisor's thread uses `program`.
struct process_pool::member {
    member(child_process started, std::size_t max_line) noexcept
        : program{std::move(started), max_line} {}

    line_program program;
    request* for_whom = nullptr;  ///< none while idle, or when the asker has gone
    io::time_point abandoned_at = io::never;
    io::time_point term_at = io::never;
    io::time_point kill_at = io::never;
    bool was_asked = false;  ///< a question was handed over whole
    bool killed = false;     ///< by us
    std::string why;         ///< it was told to end
};

}  // namespace sluice::compute
