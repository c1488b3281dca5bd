// The files of assets/, which the build embeds in the library (cmake/assets.cmake).
#pragma once

#include <string_view>

namespace sluice::assets {

/// The page of a directory: what stands between <style> and </style>, between <script> and
/// </script>, and the pictures that its rows refer to.
extern const std::string_view listing_css;
extern const std::string_view listing_js;
extern const std::string_view listing_svg;

/// The lab's report: light and dark as the reader's system is, wide and narrow, and for paper. The
/// colours of the lines are those of M. Okabe and K. Ito ("Color Universal Design", 2008), which
/// people with any kind of colour vision tell apart, made lighter for dark pages; markers tell them
/// apart, too.
extern const std::string_view report_css;

}  // namespace sluice::assets
