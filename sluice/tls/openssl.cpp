// Implements take_reason() over OpenSSL's queue of errors.
#include "sluice/tls/openssl.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace sluice::tls {

std::string take_reason() {
    const unsigned long first = ERR_get_error();
    ERR_clear_error();
    if (const char* reason = ERR_reason_error_string(first)) return reason;
    // OpenSSL 3.0 has no words for the peer's newer alerts (RFC 8446, section 6), such as that of
    // RFC 7301, section 3.2, but it has names.
    const int alert = ERR_GET_REASON(first) - SSL_AD_REASON_OFFSET;
    if (ERR_GET_LIB(first) == ERR_LIB_SSL && alert > 0) {
        return std::string{"the peer's alert says: "} + SSL_alert_desc_string_long(alert);
    }
    return "unknown reason";
}

}  // namespace sluice::tls
