// Decodes a chunked body (RFC 9112, section 7.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::http {

/// Decodes a chunked body that arrives in pieces; any split of the same bytes gives the same
/// result. Framing costs no memory: extensions are checked (RFC 9112, section 7.1.1) and skipped,
/// and only the trailers Repr-Digest and Content-Digest are kept.
class chunk_decoder {
 public:
    enum class found : std::uint8_t {
        nothing,  ///< all of the input was taken: more must come
        data,     ///< bytes of the body
        end,      ///< the body has ended; the rest of the input is not part of it
        mistake,  ///< not a chunked body: the connection is of no more use
    };
    struct step {
        found what = found::nothing;
        std::size_t taken = 0;       ///< bytes of the input
        std::string_view data = {};  ///< of the body, within the bytes taken
    };

    /// Call it again with the rest of the input until nothing is left.
    [[nodiscard]] step next(std::string_view input);

    /// Bytes of the body returned so far.
    [[nodiscard]] std::uint64_t given() const noexcept { return given_; }
    /// Value of the trailer; empty if there is none.
    [[nodiscard]] const std::string& repr_digest() const noexcept { return repr_digest_; }
    [[nodiscard]] const std::string& content_digest() const noexcept { return content_digest_; }

 private:
    enum class place : std::uint8_t {
        size,       // before or among the digits of a size
        extension,  // after them, up to the line end; ext_ has the place
        data,       // in a chunk
        data_end,   // after a chunk: its line end is due
        trailer,    // in the lines after the last chunk
        end,
        lost,
    };
    /// Place in the extensions: `;` NAME, or `;` NAME `=` VALUE, with blanks around each sign.
    enum class ext : std::uint8_t {
        none,        // after the size, or after a value and blanks: a semicolon or the end
        semicolon,   // after a semicolon: a name
        name,        // in a name
        name_blank,  // after a name and blanks
        equals,      // after the equals sign: a value
        token,       // in a value
        quoted,      // in a quoted value
        escaped,     // after a backslash in a quoted value
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
    std::size_t skipped_bytes_ = 0;  // bytes of this chunk's extensions, or of all trailers
    std::string line_;               // of the trailers
    std::string repr_digest_;
    std::string content_digest_;
};

}  // namespace sluice::http
