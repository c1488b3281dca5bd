// What a run of the lab found: figures by case and variant, where and how they were measured.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice::lab {

/// Whether more of a quantity is better.
enum class better : std::uint8_t { higher, lower, neither };

/// One quantity of one variant, once a round. Rounds are interleaved over the variants of a case,
/// so the samples of two variants with the same index were taken shortly after one another.
struct series {
    std::string name;  ///< "rate", "server CPU", "p99" ...: equal names are compared
    std::string unit;  ///< "B/s", "1/s", "s", "s/GiB", "s/message", "1/GiB", "B" ...
    better which = better::neither;
    std::vector<double> samples;  ///< in the unit, in the order of the rounds

    friend bool operator==(const series&, const series&) = default;
};

/// A point of a distribution of latencies.
struct quantile {
    double share = 0;    ///< 0 to 1: 0.99 is the 99th percentile
    double seconds = 0;  ///< as long or less it took for that share
    double low = 0;      ///< the interval that it lies in (95 %); both 0: not known
    double high = 0;

    friend bool operator==(const quantile&, const quantile&) = default;
};

/// One variant in one case: a row of a table.
struct figure {
    std::string variant;               ///< what is compared: "sendfile-cork", "pool", "event uring"
    std::string server_command;        ///< runs the server of this figure again; empty: none
    std::string load_command;          ///< runs its load again
    std::vector<series> quantities;    ///< the first is the one that variants are ranked by
    std::vector<quantile> latencies;   ///< of all rounds together, rising; empty: not measured
    std::uint64_t errors = 0;          ///< of all rounds together: requests that failed, lost ends
    std::vector<std::string> remarks;  ///< what is to be known of this row, as sentences

    friend bool operator==(const figure&, const figure&) = default;
};

/// How often the variants of a case were measured side by side.
struct round_count {
    std::uint64_t counted = 0;    ///< rounds that the figures are made of
    std::uint64_t disturbed = 0;  ///< of these, in which something else had the machine
    std::uint64_t repeated = 0;   ///< disturbed ones that others were measured in place of

    friend bool operator==(const round_count&, const round_count&) = default;
};

/// What is the same for all variants of a comparison.
struct test_case {
    std::string plan;      ///< "download", "copy" ...
    std::string name;      ///< unique in its plan: "warm", "8 clients", "64 B, 512 connections"
    std::string question;  ///< what it answers, as a sentence for people
    /// Cases of one plan and line are points of one plot: the line's name and the place on its
    /// axis.
    std::string line;
    std::string axis;  ///< "clients", "bytes a message" ...; empty: no line
    std::optional<double> x;
    std::vector<figure> figures;
    round_count rounds = {};

    friend bool operator==(const test_case&, const test_case&) = default;
};

/// A fact about the machine or the program, for reading and for comparing two reports.
struct fact {
    std::string
        topic;  ///< "kernel", "processor", "memory", "storage", "network", "limits", "sluice"
    std::string name;  ///< "release", "model", "congestion control" ...
    std::string value;
    bool must_match = false;  ///< reports that differ in it are hardly comparable

    friend bool operator==(const fact&, const fact&) = default;
};

/// A whole run.
struct results {
    std::string command;  ///< as it was typed
    std::string started;  ///< UTC, ISO 8601
    double seconds = 0;   ///< how long it took
    bool interrupted = false;
    std::vector<fact> environment;
    std::vector<test_case> cases;
    std::vector<std::string> warnings;  ///< noise and whatever else makes figures doubtful

    friend bool operator==(const results&, const results&) = default;
};

}  // namespace sluice::lab
