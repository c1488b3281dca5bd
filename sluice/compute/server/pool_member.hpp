// Defines the records of a process_pool: a pending question and a running program.
#pragma once

#include <list>
#include <string>
#include <utility>

#include "sluice/compute/server/process_pool.hpp"

namespace sluice::compute {

/// A question, in the frame of ask(). Guarded by the pool's mutex from submit() until finished.
struct process_pool::request {
    request(std::string text, question_context& c, void (*n)(request&) noexcept)
        : question{std::move(text)}, state{c}, notify{n} {}

    std::string question;
    question_context& state;
    void (*notify)(request&) noexcept;  ///< resumes ask() on the thread of its engine
    io::time_point asked{};
    io::time_point until = io::never;
    std::list<request*>::iterator position;  ///< in queue_, while `assigned` is null
    member* assigned = nullptr;              ///< the program that was given the question
    bool finished = false;                   ///< `outcome` is set, or the question was withdrawn
    result<std::string> outcome = failure(fault::cancelled);
};

/// A program of the pool. Guarded by the pool's mutex; only the supervisor thread uses `program`.
struct process_pool::member {
    member(os::child_process started, std::size_t max_line) noexcept
        : program{std::move(started), max_line} {}

    line_program program;
    request* current = nullptr;  ///< null while idle, or once the question was withdrawn
    io::time_point abandoned_at = io::never;
    io::time_point term_at = io::never;
    io::time_point kill_at = io::never;
    bool was_asked = false;  ///< a whole question was written
    bool killed = false;     ///< by the pool
    std::string why;         ///< it was killed
};

}  // namespace sluice::compute
