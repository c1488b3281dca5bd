// Implements status_line(): the reasons of the statuses that servers here give.
#include "sluice/http/status_line.hpp"

namespace sluice::http {

std::string_view status_line(unsigned status) noexcept {
    switch (status) {
        case 200: return "200 OK";
        case 201: return "201 Created";
        case 204: return "204 No Content";
        case 206: return "206 Partial Content";
        case 301: return "301 Moved Permanently";
        case 304: return "304 Not Modified";
        case 308: return "308 Resume Incomplete";
        case 400: return "400 Bad Request";
        case 401: return "401 Unauthorized";
        case 403: return "403 Forbidden";
        case 404: return "404 Not Found";
        case 405: return "405 Method Not Allowed";
        case 408: return "408 Request Timeout";
        case 409: return "409 Conflict";
        case 411: return "411 Length Required";
        case 412: return "412 Precondition Failed";
        case 413: return "413 Content Too Large";
        case 414: return "414 URI Too Long";
        case 415: return "415 Unsupported Media Type";
        case 416: return "416 Range Not Satisfiable";
        case 417: return "417 Expectation Failed";
        case 422: return "422 Unprocessable Content";
        case 421: return "421 Misdirected Request";
        case 429: return "429 Too Many Requests";
        case 431: return "431 Request Header Fields Too Large";
        case 501: return "501 Not Implemented";
        case 503: return "503 Service Unavailable";
        case 505: return "505 HTTP Version Not Supported";
        case 507: return "507 Insufficient Storage";
        default: return "500 Internal Server Error";
    }
}

}  // namespace sluice::http
