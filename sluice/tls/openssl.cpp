// Implements take_reason() over OpenSSL's queue of errors.
#include "sluice/tls/openssl.hpp"

#include <openssl/err.h>

namespace sluice::tls {

std::string take_reason() {
    const unsigned long first = ERR_get_error();
    const char* const reason = first == 0 ? nullptr : ERR_reason_error_string(first);
    // ERR_SYSTEM_ERROR(first) holds an errno.
    std::string text = reason != nullptr ? reason : "unknown reason";
    ERR_clear_error();
    return text;
}

}  // namespace sluice::tls
