// Implements reading, checking and making certificates, over libcrypto.
#include "sluice/tls/certificate.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/tls/openssl.hpp"

namespace sluice::tls {
namespace {

using problem = std::unexpected<std::string>;

constexpr long ten_years = 3650L * 24 * 60 * 60;
constexpr std::size_t largest_file = std::size_t{1} << 20;

std::expected<std::string, std::string> read_pem(const std::string& file) {
    std::ifstream in{file, std::ios::binary};
    std::string text{std::istreambuf_iterator<char>{in}, {}};
    if (!in && text.empty()) {
        return problem{fmt::format("cannot read {}: {}", file,
                                   error::system(errno == 0 ? EIO : errno).message())};
    }
    if (text.size() > largest_file) {
        return problem{fmt::format("{} is no certificate or key: it is too large", file)};
    }
    return text;
}

bio_ptr reader_of(const std::string& text) {
    return bio_ptr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

/// A key with a passphrase is refused: without this, OpenSSL asks on the terminal.
int no_passphrase(char* /*into*/, int /*size*/, int /*writing*/, void* /*data*/) {
    return -1;
}

std::string pem_of_new_files(BIO* memory) {
    char* begin = nullptr;
    const long size = BIO_get_mem_data(memory, &begin);
    return {begin, static_cast<std::size_t>(size)};
}

bool add_extension(X509& to, int which, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, &to, &to, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, free_by<&X509_EXTENSION_free>> made{
        X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str())};
    return made != nullptr && X509_add_ext(&to, made.get(), -1) == 1;
}

std::string alternative_names(std::span<const std::string> names,
                              std::span<const std::string> addresses) {
    std::string all;
    for (const auto& each : names) all += fmt::format("{}DNS:{}", all.empty() ? "" : ",", each);
    for (const auto& each : addresses) {
        all += fmt::format("{}IP:{}", all.empty() ? "" : ",", each);
    }
    return all;
}

/// A certificate and its key in PEM, one behind the other; empty if libcrypto fails.
std::string make_self_signed(std::span<const std::string> names,
                             std::span<const std::string> addresses) {
    const key_ptr key{EVP_EC_gen("P-256")};
    const x509_ptr made{X509_new()};
    std::array<unsigned char, 16> serial{};
    if (key == nullptr || made == nullptr || RAND_bytes(serial.data(), serial.size()) != 1)
        return {};
    serial.front() &= 0x7f;  // positive (RFC 5280, section 4.1.2.2)
    const std::unique_ptr<BIGNUM, free_by<&BN_free>> number{
        BN_bin2bn(serial.data(), serial.size(), nullptr)};
    constexpr long clock_skew = 24L * 60 * 60;
    X509_set_version(made.get(), X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -clock_skew);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), ten_years);
    X509_NAME* const name = X509_get_subject_name(made.get());
    const std::string common = names.empty() ? "sluice" : names.front().substr(0, 64);
    const bool complete =
        number != nullptr &&
        BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(made.get())) != nullptr &&
        X509_set_pubkey(made.get(), key.get()) == 1 &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1,
                                   0) == 1 &&
        X509_set_issuer_name(made.get(), name) == 1 &&
        add_extension(*made, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(*made, NID_key_usage, "critical,digitalSignature") &&
        add_extension(*made, NID_ext_key_usage, "serverAuth") &&
        add_extension(*made, NID_subject_key_identifier, "hash") &&
        add_extension(*made, NID_subject_alt_name, alternative_names(names, addresses)) &&
        X509_sign(made.get(), key.get(), EVP_sha256()) > 0;
    const bio_ptr out{BIO_new(BIO_s_mem())};
    if (!complete || out == nullptr || PEM_write_bio_X509(out.get(), made.get()) != 1 ||
        PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
            1) {
        return {};
    }
    return pem_of_new_files(out.get());
}

/// Writes a new file, readable by its owner alone. EEXIST if there is one.
result<void> write_new(const std::string& file, std::string_view text) {
    const unique_fd made{
        os::sys().openat(AT_FDCWD, file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (!made) return failure_of(-made.get());
    while (!text.empty()) {
        const auto n = os::sys().write(made.get(), as_bytes(text));
        if (n < 0) return failure_of(static_cast<int>(-n));
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    const int failed = os::sys().fsync(made.get());
    if (failed < 0) return failure_of(-failed);
    return {};
}

}  // namespace

std::string fingerprint_of(const X509& of) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (X509_digest(&of, EVP_sha256(), digest.data(), &size) != 1) return {};
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest.at(i));
    return text;
}

std::expected<certificate, std::string> certificate::load(const std::string& chain_file,
                                                          const std::string& key_file) {
    auto chain = read_pem(chain_file);
    if (!chain) return problem{chain.error()};
    auto key = read_pem(key_file);
    if (!key) return problem{key.error()};
    const x509_ptr first{
        PEM_read_bio_X509(reader_of(*chain).get(), nullptr, &no_passphrase, nullptr)};
    if (first == nullptr) {
        static_cast<void>(take_reason());
        return problem{
            fmt::format("{} holds no certificate: a PEM file is expected, with a line '-----BEGIN "
                        "CERTIFICATE-----'",
                        chain_file)};
    }
    const key_ptr secret{
        PEM_read_bio_PrivateKey(reader_of(*key).get(), nullptr, &no_passphrase, nullptr)};
    if (secret == nullptr) {
        static_cast<void>(take_reason());
        return problem{fmt::format(
            "{} holds no key that can be read: a PEM file is expected, with a line '-----BEGIN "
            "PRIVATE KEY-----', and without a passphrase",
            key_file)};
    }
    if (X509_check_private_key(first.get(), secret.get()) != 1) {
        static_cast<void>(take_reason());
        return problem{fmt::format("the key in {} does not belong to the certificate in {}",
                                   key_file, chain_file)};
    }
    certificate all;
    all.chain_ = std::move(*chain);
    all.key_ = std::move(*key);
    all.fingerprint_ = fingerprint_of(*first);
    return all;
}

std::expected<certificate, std::string> certificate::make_or_load(
    const std::string& file, std::span<const std::string> names,
    std::span<const std::string> addresses) {
    if (const unique_fd known{os::sys().openat(AT_FDCWD, file.c_str(), O_RDONLY | O_CLOEXEC, 0)};
        known) {
        return load(file, file);
    }
    const std::string text = make_self_signed(names, addresses);
    if (text.empty()) return problem{"cannot make a certificate: " + take_reason()};
    // Complete under a name of its own first: two servers that start at once take one of the two.
    const std::string made = fmt::format("{}.{:016x}", file, os::sys().random());
    auto written = write_new(made, text);
    if (written) {
        const int failed = os::sys().linkat(AT_FDCWD, made.c_str(), AT_FDCWD, file.c_str(), 0);
        if (failed < 0 && failed != -EEXIST) written = failure_of(-failed);
    }
    static_cast<void>(os::sys().unlinkat(AT_FDCWD, made.c_str(), 0));
    if (!written) {
        return problem{fmt::format(
            "cannot keep a certificate in {}: {}; name a folder for it by STATE_DIRECTORY, or give "
            "a certificate by --cert and --key",
            file, written.error().message())};
    }
    return load(file, file);
}

}  // namespace sluice::tls
