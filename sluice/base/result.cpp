// Implements error::message(): words for errors and faults.
#include "sluice/base/result.hpp"

#include <netdb.h>

#include <cctype>
#include <system_error>

namespace sluice {
namespace {

const char* fault_text(fault f) {
    switch (f) {
        case fault::timed_out: return "the deadline passed";
        case fault::cancelled: return "cancelled";
        case fault::closed: return "closed";
        case fault::message_too_long: return "the message is too long";
        case fault::queue_full: return "the queue is full";
        case fault::ended: return "the stream ended too early";
        case fault::bad_address: return "not an address";
        case fault::unsupported: return "not supported here";
        case fault::http_spoken: return "it speaks HTTP, and this is no web server";
        case fault::tls_spoken: return "it speaks TLS, and this port does not";
        case fault::tls_missing: return "it does not speak TLS, and this port speaks nothing else";
        case fault::tls_broken: return "it broke off TLS, or broke its rules";
        case fault::cut_short:
            return "the TLS connection ended before the other side said that it had sent all";
    }
    return "unknown error";
}

}  // namespace

std::string error::message() const {
    switch (whose()) {
        case category::system: {
            auto text = std::generic_category().message(code());
            // strerror(3) capitalises its first word; these messages end up inside sentences.
            if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
                text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
            }
            return text;
        }
        case category::resolver: return gai_strerror(-code());
        case category::sluice: return fault_text(static_cast<fault>(code()));
    }
    return "unknown error";
}

}  // namespace sluice
