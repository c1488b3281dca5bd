// How the page looks.
#pragma once

#include <string_view>

namespace sluice::lab {

/// CSS: light and dark as the reader's system is, wide and narrow, and for paper. The colours of
/// the lines are those of M. Okabe and K. Ito ("Color Universal Design", 2008), which people with
/// any kind of colour vision tell apart, made lighter for dark pages; markers tell them apart, too.
extern const std::string_view page_style;

}  // namespace sluice::lab
