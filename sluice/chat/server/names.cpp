// Implements name checks and UTS 39 skeletons of names with ICU (uspoof.h, unorm2.h).
#include "sluice/chat/server/names.hpp"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/uset.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "sluice/chat/server/utf16.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::chat {
namespace {

constexpr std::size_t max_bytes = 4 * longest_name;

struct closer {
    void operator()(USpoofChecker* c) const noexcept { uspoof_close(c); }
    void operator()(USet* s) const noexcept { uset_close(s); }
};

/// ICU's tables. Read-only once loaded; any thread.
class tables {
 public:
    static const tables& loaded() {
        static const tables once;
        return once;
    }

    std::unique_ptr<USpoofChecker, closer> spoof;
    const UNormalizer2* nfc = nullptr;
    const UNormalizer2* nfkc = nullptr;
    const UNormalizer2* folded = nullptr;     // NFKC_Casefold
    std::unique_ptr<USet, closer> invisible;  // without a glyph, or with that of a space
    std::unique_ptr<USet, closer> brackets;

 private:
    tables() {
        UErrorCode code = U_ZERO_ERROR;
        spoof.reset(uspoof_open(&code));
        uspoof_setChecks(spoof.get(), USPOOF_INVISIBLE | USPOOF_HIDDEN_OVERLAY, &code);
        nfc = unorm2_getNFCInstance(&code);
        nfkc = unorm2_getNFKCInstance(&code);
        folded = unorm2_getNFKCCasefoldInstance(&code);
        // U+2800 is a blank of Braille, U+1D159 a null notehead, U+16FE4 a filler of Khitan.
        invisible.reset(
            uset_openPattern(u"[[:Default_Ignorable_Code_Point:][:Cn:][:Cc:][:Cf:]["
                             u":Co:][:Cs:][:Zl:][:Zp:]"
                             u"[[:Zs:]-[\\ ]]\\u2800\\U0001D159\\U00016FE4]",
                             -1, &code));
        // The server's own lines use neither round brackets nor braces.
        brackets.reset(uset_openPattern(
            u"[<>\\:\u00ab\u00bb\u2039\u203a[[:Ps:][:Pe:]-[(){}\uff08\uff09]]]", -1, &code));
        if (U_FAILURE(code) != 0) throw std::bad_alloc{};
        uset_freeze(invisible.get());
        uset_freeze(brackets.get());
    }
};

void replace_by_skeleton(text16& text, const tables& t) noexcept {
    text16 made;
    UErrorCode code = U_ZERO_ERROR;
    made.size = uspoof_getSkeleton(t.spoof.get(), 0, text.units.data(), text.size,
                                   made.units.data(), text16::max_units, &code);
    made.clear_on_error(code);
    std::copy_n(made.units.data(), made.size, text.units.data());
    text.size = made.size;
}

/// The ASCII letter that `c` looks like, if NFKC would turn `c` into another one; else `c`. NFKC
/// makes a lunate sigma, which looks like C, the usual sigma.
UChar32 ascii_lookalike(UChar32 c, const tables& t) noexcept {
    text16 one;
    one.append(c);
    normalize(one, t.nfkc);
    if (one.first() == c || one.first() < 0x80) return c;
    one.size = 0;
    one.append(c);
    replace_by_skeleton(one, t);
    const UChar32 lookalike = one.first();
    return one.size == 1 && lookalike < 0x80 && u_isalnum(lookalike) != 0 ? lookalike : c;
}

/// An accent of any script, which a reader overlooks; not a voiced sound mark of a kana.
bool is_accent(UChar32 c) noexcept {
    UErrorCode code = U_ZERO_ERROR;
    return u_charType(c) == U_NON_SPACING_MARK &&
           uscript_getScript(c, &code) == USCRIPT_INHERITED && c != 0x3099 && c != 0x309a;
}

/// The skeleton as UTF-16. Folds twice, because a capital may look like another letter than its
/// lower case does. I and l look alike, so i becomes l.
text16 fold_alike(std::string_view name, const tables& t) noexcept {
    text16 text;
    to_utf16(name).for_each([&](UChar32 c) { text.append(c < 0x80 ? c : ascii_lookalike(c, t)); });
    normalize(text, t.nfkc);
    for (int i = 0; i < 2; ++i) {
        replace_by_skeleton(text, t);
        normalize(text, t.folded);
    }
    UErrorCode code = U_ZERO_ERROR;
    text16 decomposed;
    decomposed.size = unorm2_normalize(unorm2_getNFDInstance(&code), text.units.data(), text.size,
                                       decomposed.units.data(), text16::max_units, &code);
    decomposed.clear_on_error(code);
    text.size = 0;
    decomposed.for_each([&text](UChar32 c) {
        if (c == ' ' || is_accent(c)) return;
        text.append(c == 'i' ? 'l' : c);
    });
    return text;
}

/// The letters and digits of the skeleton.
std::string core_of(std::string_view name, const tables& t) {
    text16 made;
    fold_alike(name, t).for_each([&made](UChar32 c) {
        if (u_isalnum(c) != 0) made.append(c);
    });
    return to_utf8(made);
}

/// True for the skeleton of digits of any script, in which 0 and 1 are letters.
bool looks_like_number(std::string_view core) {
    bool digits = !core.empty();
    to_utf16(core).for_each([&digits](UChar32 c) {
        if (u_charDigitValue(c) < 0 && c != 'o' && c != 'l') digits = false;
    });
    return digits;
}

/// The single ASCII character that a code point looks like, if there is one.
std::optional<char> looks_like(UChar32 c, const tables& t) {
    text16 text;
    text.append(c);
    normalize(text, t.nfkc);
    replace_by_skeleton(text, t);
    if (text.size != 1 || text.units[0] >= 0x80) return std::nullopt;
    return static_cast<char>(text.units[0]);
}

/// False for letters and marks, which may look like punctuation.
bool is_punctuation(UChar32 c) noexcept {
    return (U_GET_GC_MASK(c) & (U_GC_L_MASK | U_GC_M_MASK)) == 0;
}

bool is_bracket(UChar32 c, const tables& t) {
    if (uset_contains(t.brackets.get(), c) != 0) return true;
    if (c < 0x80 || !is_punctuation(c)) return false;
    const auto lookalike = looks_like(c, t);
    return lookalike && std::string_view{"[]<>:"}.contains(*lookalike);
}

bool begins_a_command_or_announcement(UChar32 c, const tables& t) {
    if (c == '*' || c == '/') return true;
    if (c < 0x80 || !is_punctuation(c)) return false;
    const auto lookalike = looks_like(c, t);
    if (lookalike == '*' || lookalike == '/') return true;
    std::array<char, 128> name{};
    UErrorCode code = U_ZERO_ERROR;
    u_charName(c, U_UNICODE_CHAR_NAME, name.data(), name.size(), &code);
    return std::string_view{name.data()}.contains("ASTERISK");
}

judged_name refuse(const char* why) {
    return std::unexpected{std::string{why}};
}

/// `name`, unless it is all accents (U+FE7C is a letter, and looks like one): such names would all
/// look alike.
judged_name distinct(std::string name, const tables& t) {
    if (fold_alike(name, t).size == 0) {
        return refuse("a name looks like something, so that it can be told from others");
    }
    return name;
}

judged_name validate(std::string_view given, const tables& t) {
    if (given.empty()) return refuse("a name has at least one character");
    if (!wire::is_valid_utf8(given)) return refuse("a name is UTF-8 text");
    constexpr const char* too_long = "a name has at most 32 characters";
    // NFC may shorten it.
    if (given.size() > 3 * max_bytes) return refuse(too_long);
    text16 text = to_utf16(given);
    normalize(text, t.nfc);
    std::string name = to_utf8(text);
    if (name.empty() || characters(name) > longest_name) return refuse(too_long);
    bool visible = (U_GET_GC_MASK(text.first()) & U_GC_M_MASK) == 0;
    text.for_each(
        [&](UChar32 c) { visible = visible && uset_contains(t.invisible.get(), c) == 0; });
    UErrorCode code = U_ZERO_ERROR;
    if (!visible ||
        uspoof_check(t.spoof.get(), text.units.data(), text.size, nullptr, &code) != 0) {
        return refuse("a name has visible characters only");
    }
    return name;
}

}  // namespace

std::size_t characters(std::string_view text) noexcept {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
    }));
}

std::string skeleton(std::string_view name) {
    if (name.size() > 3 * max_bytes || !wire::is_valid_utf8(name)) return {};
    return to_utf8(fold_alike(name, tables::loaded()));
}

bool same_letters(std::string_view a, std::string_view b) {
    if (a == b) return true;
    if (std::max(a.size(), b.size()) > 3 * max_bytes) return false;
    const auto& t = tables::loaded();
    text16 left = to_utf16(a);
    text16 right = to_utf16(b);
    normalize(left, t.folded);
    normalize(right, t.folded);
    return left.size > 0 && left.size == right.size &&
           std::equal(left.units.data(), left.units.data() + left.size, right.units.data());
}

judged_name judge_nick(std::string_view given) {
    const auto& t = tables::loaded();
    auto name = validate(given, t);
    if (!name) return name;
    if (name->front() == ' ' || name->back() == ' ' || name->contains("  ")) {
        return refuse("a name has no spaces at its ends, and no two in a row");
    }
    const text16 text = to_utf16(*name);
    bool is_reserved = begins_a_command_or_announcement(text.first(), t);
    text.for_each([&](UChar32 c) { is_reserved = is_reserved || is_bracket(c, t); });
    if (is_reserved) {
        return refuse(
            "a name has none of [ ] < > : and begins with neither * nor "
            "/, nor has anything that "
            "looks like them");
    }
    const std::string core = core_of(*name, t);
    const std::string client = core_of("client", t);
    if (core.starts_with(client) &&
        looks_like_number(std::string_view{core}.substr(client.size()))) {
        return refuse("'Client' with a number is what the server calls people");
    }
    if (core == core_of("server", t) || core == core_of("exit", t)) {
        return refuse("that word means something else here, or looks like one that does");
    }
    return distinct(std::move(*name), t);
}

judged_name judge_room(std::string_view given) {
    const auto& t = tables::loaded();
    auto name = validate(given, t);
    if (!name) return name;
    if (name->contains(' ')) return refuse("the name of a room has no spaces");
    return distinct(std::move(*name), t);
}

void load_name_tables() {
    static_cast<void>(tables::loaded());
}

}  // namespace sluice::chat
