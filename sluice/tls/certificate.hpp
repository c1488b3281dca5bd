// Certificates with their keys: read from files, or made and signed by themselves.
#pragma once

#include <openssl/x509.h>

#include <expected>
#include <span>
#include <string>

namespace sluice::tls {

/// A certificate, those that lead from it to an authority, and its key, checked to belong together.
class certificate {
 public:
    /// Reads two files in PEM: the certificate, with its chain behind it, and its key, which may be
    /// one file. The error is a sentence without its full stop. May block.
    [[nodiscard]] static std::expected<certificate, std::string> load(const std::string& chain_file,
                                                                      const std::string& key_file);
    /// Makes a key (P-256) and a certificate of its own signature, valid for ten years, for names
    /// and IP addresses; keeps both in `file`, which only its owner may read. Where `file` exists,
    /// it is read instead. The error is a sentence without its full stop. May block.
    [[nodiscard]] static std::expected<certificate, std::string> make_or_load(
        const std::string& file, std::span<const std::string> names,
        std::span<const std::string> addresses);

    /// In PEM (RFC 7468).
    [[nodiscard]] const std::string& chain() const noexcept { return chain_; }
    [[nodiscard]] const std::string& key() const noexcept { return key_; }
    /// SHA-256 of the certificate in DER, 64 lower-case hexadecimal digits.
    [[nodiscard]] const std::string& fingerprint() const noexcept { return fingerprint_; }

 private:
    std::string chain_;
    std::string key_;
    std::string fingerprint_;
};

/// As certificate::fingerprint().
[[nodiscard]] std::string fingerprint_of(const X509& of);

}  // namespace sluice::tls
