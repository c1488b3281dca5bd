// Style sheets, scripts and pictures of assets/, embedded by the build (cmake/assets.cmake).
#pragma once

#include <string_view>

namespace sluice::assets {

/// Directory listing page: the contents of its <style> and <script> elements, and the pictures that
/// its rows refer to.
extern const std::string_view listing_css;
extern const std::string_view listing_js;
extern const std::string_view listing_svg;

/// Style sheet of the lab's report: light or dark by the reader's system, for wide and narrow
/// screens and for paper. The colours of the lines are those of M. Okabe and K. Ito ("Color
/// Universal Design", 2008), which readers with any kind of colour vision can tell apart, made
/// lighter for dark pages; markers tell the lines apart, too.
extern const std::string_view report_css;

/// What completes command lines of the program in three shells, with `@commands@` where what there
/// is to complete belongs.
extern const std::string_view completion_bash;
extern const std::string_view completion_fish;
extern const std::string_view completion_zsh;

}  // namespace sluice::assets
