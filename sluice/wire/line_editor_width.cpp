// wcwidth(3) in a locale of our own.
#include "sluice/wire/line_editor_width.hpp"

#include <locale.h>

#include <clocale>
#include <cwchar>

namespace sluice::wire {
namespace {

/// The thread's locale is C.UTF-8 while it lives, if the system has that.
class utf8_here {
 public:
    utf8_here() noexcept : before_{utf8() == nullptr ? nullptr : ::uselocale(utf8())} {}
    utf8_here(const utf8_here&) = delete;
    utf8_here& operator=(const utf8_here&) = delete;
    ~utf8_here() {
        if (before_ != nullptr) ::uselocale(before_);
    }

 private:
    static locale_t utf8() noexcept {
        static const locale_t made = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
        return made;
    }
    locale_t before_;
};

}  // namespace

std::size_t columns_of(char32_t c) noexcept {
    if (c < 0x80) return 1;
    const utf8_here here;
    const int columns = ::wcwidth(static_cast<wchar_t>(c));
    return columns < 0 ? 1 : static_cast<std::size_t>(columns);
}

}  // namespace sluice::wire
