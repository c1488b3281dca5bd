// Defines the results of a lab run: figures by case and variant, environment, warnings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice::lab {

/// Which direction of a quantity is better.
enum class better : std::uint8_t { higher, lower, neither };

/// One quantity of one variant, a sample per round. Rounds interleave the variants of a case, so
/// samples of two variants with the same index were taken shortly after one another.
struct series {
    std::string name;  ///< "rate", "server CPU", "p99" ...: equal names are compared
    std::string unit;  ///< "B/s", "1/s", "s", "s/GiB", "s/message", "1/GiB", "B" ...
    better which = better::neither;
    std::vector<double> samples;  ///< in `unit`, in the order of the rounds

    friend bool operator==(const series&, const series&) = default;
};

/// A quantile of a latency distribution.
struct quantile {
    double share = 0;    ///< 0 to 1: 0.99 is the 99th percentile
    double seconds = 0;  ///< `share` of the requests took this long at most
    double low = 0;      ///< 95 % interval; both 0: unknown
    double high = 0;

    friend bool operator==(const quantile&, const quantile&) = default;
};

/// One variant in one case: a row of a table.
struct figure {
    /// name of the variant: "sendfile-cork", "pool", "event uring"
    std::string variant;
    std::string server_command;          ///< shell command that runs the server again; empty: none
    std::string load_command;            ///< shell command that runs the load again
    std::vector<series> quantities;      ///< the first is the one that variants are ranked by
    std::vector<quantile> latencies;     ///< over all rounds, rising; empty: not measured
    std::uint64_t errors = 0;            ///< over all rounds: failed requests, lost connections
    std::vector<std::string> footnotes;  ///< footnotes of the row, as sentences

    friend bool operator==(const figure&, const figure&) = default;
};

/// The number of rounds of a case.
struct round_count {
    std::uint64_t counted = 0;    ///< rounds that the figures come from
    std::uint64_t disturbed = 0;  ///< counted rounds with a disturbance
    std::uint64_t repeated = 0;   ///< disturbed rounds that were dropped and measured again

    friend bool operator==(const round_count&, const round_count&) = default;
};

/// A case: the common question of a comparison, and a figure per variant.
struct test_case {
    std::string plan;      ///< "download", "copy" ...
    std::string name;      ///< unique in its plan: "warm", "8 clients", "64 B, 512 connections"
    std::string question;  ///< the question it answers, as a sentence
    /// Name of the line in a plot; cases with the same plan and line are points of one line.
    std::string line;
    std::string axis;  ///< "clients", "bytes a message" ...; empty: no line
    std::optional<double> x;
    std::vector<figure> figures;
    round_count rounds = {};

    friend bool operator==(const test_case&, const test_case&) = default;
};

/// A fact about the machine or the program, for readers and for the comparison of reports.
struct fact {
    std::string
        topic;  ///< "kernel", "processor", "memory", "storage", "network", "limits", "sluice"
    std::string name;  ///< "release", "model", "congestion control" ...
    std::string value;
    bool must_match = false;  ///< reports that differ in it are hardly comparable

    friend bool operator==(const fact&, const fact&) = default;
};

/// All results of one run of the lab.
struct results {
    std::string command;  ///< the command line
    std::string started;  ///< UTC, ISO 8601
    double seconds = 0;   ///< duration of the run
    bool interrupted = false;
    std::vector<fact> environment;
    std::vector<test_case> cases;
    std::vector<std::string> warnings;  ///< noise and other reasons to doubt figures

    friend bool operator==(const results&, const results&) = default;
};

}  // namespace sluice::lab
