// A chunked body, taken apart (RFC 9112, section 7.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::http {

/// Given the bytes of a chunked body as they come, gives what they hold. Any split of the same
/// bytes gives the same. What frames them costs no memory: extensions are checked (RFC 9112,
/// section 7.1.1) and passed over, and of the trailers only Repr-Digest and Content-Digest are
/// kept.
class chunk_decoder {
 public:
    enum class found : std::uint8_t {
        nothing,  ///< all of the input was taken: more must come
        data,     ///< bytes of the body
        end,      ///< the body has ended; what is left of the input is none of it
        mistake,  ///< this is no chunked body: the connection is of no more use
    };
    struct step {
        found what = found::nothing;
        std::size_t taken = 0;       ///< bytes of the input
        std::string_view data = {};  ///< of the body, within what was taken
    };

    /// To be called again with what is left, until nothing is.
    [[nodiscard]] step next(std::string_view input);

    /// Bytes of the body that were given.
    [[nodiscard]] std::uint64_t given() const noexcept { return given_; }
    /// The trailer of that name; empty if there is none.
    [[nodiscard]] const std::string& repr_digest() const noexcept { return repr_digest_; }
    [[nodiscard]] const std::string& content_digest() const noexcept { return content_digest_; }

 private:
    enum class place : std::uint8_t {
        size,       // before or among the digits of a size
        extension,  // behind them, up to the line's end: where in it, ext_ says
        data,       // in a chunk
        data_end,   // behind it: its line's end is due
        trailer,    // in the lines behind the last chunk
        end,
        lost,
    };
    /// Within the extensions: `;` NAME, or `;` NAME `=` VALUE, blanks before and behind each sign.
    enum class ext : std::uint8_t {
        none,        // behind the size, or behind a value and blanks: a semicolon or the end
        semicolon,   // behind it: a name
        name,        // in it
        name_blank,  // behind it and blanks
        equals,      // behind the sign: a value
        token,       // in a value
        quoted,      // in one in quotes
        escaped,     // behind a backslash in it
    };
    [[nodiscard]] bool take_size(char c) noexcept;
    [[nodiscard]] bool take_extension_character(char c) noexcept;
    [[nodiscard]] bool extension_may_end() const noexcept;
    [[nodiscard]] bool take_extension(char c) noexcept;
    [[nodiscard]] bool take_data_end(char c) noexcept;
    [[nodiscard]] bool take_trailer(char c);
    [[nodiscard]] bool take_trailer_line();
    void end_size_line() noexcept;

    place place_ = place::size;
    ext ext_ = ext::none;
    bool carriage_return_ = false;
    unsigned digits_ = 0;
    std::uint64_t left_ = 0;  // of the chunk
    std::uint64_t given_ = 0;
    std::size_t passed_over_ = 0;  // bytes of this chunk's extensions, or of all trailers
    std::string line_;             // of the trailers
    std::string repr_digest_;
    std::string content_digest_;
};

}  // namespace sluice::http
