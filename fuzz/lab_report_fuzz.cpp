// A report of any bytes: refused with words, or shown in every form without a number that is none.
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/lab/compare.hpp"
#include "sluice/lab/report/csv.hpp"
#include "sluice/lab/report/html.hpp"
#include "sluice/lab/report/json.hpp"
#include "sluice/lab/report/text.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::lab_report_target {
namespace {

using sluice::check;
namespace lab = sluice::lab;

}  // namespace

void examine(std::string_view text) {
    const auto run = lab::read_json(text);
    if (!run) {
        check(!run.error().empty(), "a mistake without words");
        check(sluice::wire::is_printable(run.error()), "a mistake that a terminal would obey");
        return;
    }
    const auto written = lab::as_json(*run);
    const auto back = lab::read_json(written);
    check(back.has_value(), "what was written cannot be read");
    check(lab::as_json(*back) == written, "a report comes back changed");
    const auto page = lab::as_html(*run);
    check(!page.contains("<script"), "text became markup");
    check(sluice::wire::is_valid_utf8(page), "the page is no text");
    check(!lab::as_csv(*run).empty(), "a table without a head");
    check(!lab::as_text(*run, {.columns = 60, .unicode = true}).empty(), "a report without words");
    check(lab::compare_runs(*run, *back).only_before.empty(), "a run differs from itself");
}

}  // namespace sluice::fuzz::lab_report_target
